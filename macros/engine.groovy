// What the cellspan commands share: running the engine, showing its progress, and telling in one sentence what went wrong.
//
// `cellspan install fiji` puts this file into plugins/cellspan, under an ending that Fiji does not take for a command. A
// command gets the object `cellspan` of the class Engine, which is made once and serves all commands:
//
//     cellspan.command(this) { folder -> ... }   does the work of a command, with a temporary folder; tells what goes wrong
//     cellspan.settings(this, image)             the settings of a command, from a macro or a dialog (settings.groovy)
//     cellspan.segment(image, settings)          the objects of an image, by the keys of Segment Cells (segmenting.groovy)
//     cellspan.run(["models", "list"])           any other command of `cellspan`: [printed: , errors: , code: ]
//     cellspan.runIfHere(["service", "stop"])    the same, but null if no engine is on this computer; offers none
//     cellspan.fail(sentence)                    ends the command with a message, and the macro that runs it
//     cellspan.cancel()                          ends it without a message
//     cellspan.note(sentence)                    tells something that is no error
//     cellspan.done(status)                      shows a last status, which stays
//     cellspan.help(infos)                       shows what commands do, as SciJava describes them
//     cellspan.shared("colours")                 what another of these files gives, made once

import ij.IJ
import ij.ImageJ
import ij.ImagePlus
import ij.Macro
import ij.Prefs
import ij.WindowManager
import ij.gui.MessageDialog
import ij.macro.Interpreter
import java.awt.EventQueue
import java.awt.Font
import java.awt.GraphicsEnvironment
import java.nio.file.Files
import java.util.concurrent.TimeUnit

class Problem extends IllegalArgumentException {
    Problem(String sentence) {
        super(sentence)
    }
}

class Cancelled extends Exception {
}

// A running `cellspan fiji-worker`, which segments one image after another; starting Python for each would take longer.
class Worker {
    final Process process
    final BufferedReader lines

    Worker(Process process) {
        this.process = process
        lines = process.inputStream.newReader("UTF-8")
    }

    // Sends the words of one command; false if the worker has ended.
    boolean send(List<String> arguments) {
        def line = arguments.collect { URLEncoder.encode(it, "UTF-8") }.join(" ") + "\n"
        try {
            process.outputStream.with {
                write(line.bytes)
                flush()
            }
            return process.alive
        } catch (IOException ended) {
            return false
        }
    }

    // The next line; null if there is none yet, or none any more.
    String next() {
        try {
            return lines.ready() ? lines.readLine() : null
        } catch (IOException ended) {
            return null
        }
    }
}

class Engine {
    static final String WHAT_TO_TRY = "Try another model or channel, set the diameter of a typical object, lower the " +
        "cellprob threshold (to -2), or invert the image if objects are darker than the background."
    static final String NOTHING_RESTORED = "There is a restored image only if the image is restored first: choose a model " +
        "there (restore=denoise_cyto3), or leave the restored image out."
    private static final int STATUS_ROOM = 60 // letters
    private static final int LOG_MARGIN = 60 // pixels beside the text: the scroll bar and the frame
    final long made = file("engine").lastModified() // an object made of an older file is not used any more
    private final Map<String, Object> evaluated = [:]
    private final List<Worker> idle = []

    // Runs a command and tells whatever goes wrong; `work` gets a temporary folder.
    void command(Script script, Closure work) {
        def sentence = whatWentWrong {
            def folder = Files.createTempDirectory("cellspan").toFile()
            try {
                requireKnown(Macro.options, script.binding.variables.keySet())
                work(folder)
            } finally {
                folder.deleteDir()
                IJ.showProgress(1.0)
            }
        }
        if (sentence)
            tell(sentence)
        if (sentence != null)
            stopCaller()
    }

    // The sentence of an error; empty if the user cancelled, null if all went well.
    private String whatWentWrong(Closure work) {
        try {
            work()
            return null
        } catch (Problem problem) {
            return problem.message
        } catch (Cancelled cancelled) {
            done("cancelled")
            return ""
        } catch (OutOfMemoryError full) {
            return "ImageJ is out of memory: close images, or raise the limit in Edit > Options > Memory & Threads."
        } catch (Throwable fault) {
            fault.printStackTrace() // to the console
            return "cellspan failed with an internal error (${fault}); please report it."
        }
    }

    // Refuses what Fiji would ignore without a word in a macro: misspelt settings, and checkboxes without "=true".
    void requireKnown(String options, Set<String> known) {
        (options ?: "").replaceAll(/=\[[^\]]*\]/, "=x").split().each { word ->
            def name = word.split("=")[0]
            if (!(name in known))
                fail("There is no setting '${name}'; Plugins > cellspan > Segment Help lists the settings.")
            if (!word.contains("="))
                fail("The setting '${name}' needs a value: write ${name}=true.")
        }
    }

    void fail(String sentence) {
        throw new Problem(sentence)
    }

    void cancel() {
        throw new Cancelled()
    }

    // The values of a command's settings by name. `check` refuses, by `fail` or IllegalArgumentException, what cannot be; a
    // dialog then stays open. Option `preview: true`: the dialog has the box Preview.
    Map settings(Map options = [:], Script script, ImagePlus image, Closure check) {
        ensureEngine() // the dialog offers its models
        def module = script.binding.variables["org.scijava.script.ScriptModule"]
        return shared("settings").newInstance(this, module, image).ask(options, check)
    }

    Map settings(Script script, ImagePlus image) {
        return settings(script, image) {}
    }

    // What another file that the commands share evaluates to.
    synchronized Object shared(String name) {
        if (!(name in evaluated))
            evaluated[name] = new GroovyShell(getClass().classLoader).evaluate(file(name))
        return evaluated[name]
    }

    static File file(String name) {
        return new File(IJ.getDirectory("plugins") ?: "", "cellspan/" + (name.contains(".") ? name : name + ".groovy.txt"))
    }

    // Shows what commands do and which settings they have.
    void help(List infos) {
        shared("help").show(infos)
    }

    // The command that starts the engine.
    List<String> words() {
        ensureEngine()
        return recordedWords()
    }

    // One word per line, in a file that the installer wrote; empty without it.
    private static List<String> recordedWords() {
        def file = file("engine.txt")
        return !file.exists() ? [] : file.readLines("UTF-8").findAll().collect { URLDecoder.decode(it.trim(), "UTF-8") }
    }

    // Makes the engine and all else that the installer writes, if the commands came as a zip or from an update site and the
    // user agrees.
    void ensureEngine() {
        def words = recordedWords()
        def making = making()
        if (making && (!words || !new File(words[0]).exists() || making.isOutdated(words[0])))
            shared("first_use").newInstance(this, making).ensure()
        else if (!words)
            fail("The cellspan engine was not found: in a terminal, run  cellspan install fiji --to FOLDER  " +
                "with the folder of this Fiji.")
    }

    // What makes it; null if an installer has connected the commands to an engine.
    private Object making() {
        return file("engine_wanted.txt").exists() ? shared("making_engine").newInstance(this) : null
    }

    // Runs `cellspan` with these arguments: [printed: lines, errors: lines, code: exit code]. `onLine` gets each line of
    // its standard error as soon as it is printed, `onTick` the seconds that have passed, now and then. Esc cancels.
    Map run(List<String> arguments, Closure onLine = { showProgress(it) }, Closure onTick = null) {
        return runProgram(words(), arguments, onLine, onTick)
    }

    // The same with an engine that is on this computer, of an earlier version or made from another program, too. Null if
    // there is none, because whoever wants to stop it does not want to install it.
    Map runIfHere(List<String> arguments) {
        def words = recordedWords()
        def making = making()
        if (!making)
            return run(arguments) {}
        if (!words || !new File(words[0]).exists()) {
            def python = making.madeBefore()
            words = python ? [python.path, "-m", "cellspan.core.cli"] : []
        }
        return words ? runProgram(words, arguments) {} : null
    }

    private Map runProgram(List<String> program, List<String> arguments, Closure onLine, Closure onTick = null) {
        IJ.resetEscape()
        def started = System.currentTimeMillis()
        def process = start(program + "--for-programs" + arguments)
        def printed = [], errors = []
        def waiting = Collections.synchronizedList([])
        def readers = [
            Thread.startDaemon { process.inputStream.eachLine("UTF-8") { line -> printed << line } },
            Thread.startDaemon { process.errorStream.eachLine("UTF-8") { line -> errors << line; waiting << line } },
        ]
        while (!process.waitFor(20, TimeUnit.MILLISECONDS)) {
            while (waiting)
                onLine(waiting.remove(0))
            onTick?.call((System.currentTimeMillis() - started) / 1000)
            if (IJ.escapePressed()) {
                stop(process, 0)
                cancel()
            }
        }
        readers*.join()
        waiting.each { onLine(it) }
        return [printed: printed, errors: errors, code: process.exitValue()]
    }

    // Segments an image; `settings` have the keys of Segment Cells.
    Object segment(ImagePlus image, Map settings, boolean withLabels = false) {
        return shared("segmenting").newInstance(this, image, settings).segment(withLabels)
    }

    // Runs `cellspan fiji-segment` or one like it, in a worker that is ready or will be: the number of outlines or rows that
    // were written. Esc cancels.
    int runInWorker(List<String> arguments) {
        IJ.resetEscape()
        def heard = []
        for (attempt in 1..2) {
            def worker = takeWorker()
            if (!worker.send(arguments))
                continue
            while (true) {
                def alive = worker.process.alive // before looking for its last line
                def line = worker.next()
                if (line) {
                    heard << line
                    if (line ==~ /OK \d+ .*/ || problemIn(line)) {
                        giveBack(worker)
                        return problemIn(line) ? failAs([line], "") : line.split(" ")[1] as int
                    }
                    showProgress(line)
                } else if (IJ.escapePressed()) {
                    stop(worker.process, 3)
                    cancel()
                } else if (alive)
                    sleep(3)
                else
                    break
            }
            if (heard) // else it ended while it was idle
                break
        }
        failAs(heard, "")
    }

    private synchronized Worker takeWorker() {
        while (idle) {
            def worker = idle.pop()
            if (worker.process.alive)
                return worker
        }
        return new Worker(start(words() + ["--for-programs", "fiji-worker"], true))
    }

    private synchronized void giveBack(Worker worker) {
        idle.push(worker)
    }

    // Lets the workers end.
    synchronized void close() {
        idle*.process*.outputStream*.close()
        idle.clear()
    }

    private Process start(List<String> words, boolean asOneStream = false) {
        def builder = new ProcessBuilder(words).redirectErrorStream(asOneStream)
        builder.environment()["PYTHONIOENCODING"] = "utf-8"
        builder.environment()["PYTHONUNBUFFERED"] = "1"
        try {
            return builder.start()
        } catch (IOException error) {
            fail("The engine did not start (${error.message}); in a terminal, run  cellspan install fiji  again.")
        }
    }

    // A worker cancels its job and ends when its input is closed; it gets some seconds for it. Any other program is ended.
    private void stop(Process process, int patience) {
        process.outputStream.close()
        if (process.waitFor(patience, TimeUnit.SECONDS))
            return
        process.destroy()
        if (!process.waitFor(5, TimeUnit.SECONDS))
            process.destroyForcibly()
    }

    // Shows a line such as "PROGRESS 0.43 running the network" or "NOTE sentence".
    void showProgress(String line) {
        def progress = line =~ /^PROGRESS (\d\.\d+) (.*)$/
        if (progress) {
            showStatusWithEsc("cellspan: " + progress[0][2])
            IJ.showProgress(progress[0][1] as double)
        } else if (line.startsWith("NOTE "))
            note(line - "NOTE ")
    }

    // Fiji's status line has a field to search in it, which hides the end of longer texts.
    private static void showStatusWithEsc(String status) {
        def hint = " (Esc to cancel)"
        IJ.showStatus(status.size() + hint.size() <= STATUS_ROOM ? status + hint : status)
    }

    // A program that was ended before it could print an error in the usual form has last words at least.
    void requireSuccess(Map answer) {
        if (answer.code != 0)
            failAs(answer.errors, answer.errors.reverse().find { it.trim() })
    }

    private void failAs(List<String> lines, String lastWords) {
        def problem = lines.findResult { problemIn(it) }
        if (problem?.code == "cancelled")
            cancel()
        fail(problem?.sentence ?: lastWords
            ?: "The engine did not answer; in a terminal, run  cellspan doctor  to see why.")
    }

    // An error as `cellspan --for-programs` prints it, a line of JSON: [code: , sentence: , fields: [:]]. Null for any
    // other line.
    Map problemIn(String line) {
        if (!line.startsWith('{"code": '))
            return null
        def values = namedValues(line)
        return [code: values.remove("code"), sentence: values.remove("sentence"), fields: values]
    }

    // The texts and whole numbers of a line of JSON, by name; not every Groovy has a reader of JSON.
    private Map namedValues(String line) {
        def values = [:]
        def pairs = line =~ /"(\w+)": (?:"((?:[^"\\]|\\.)*)"|(-?\d+))/
        pairs.each { all, name, text, number -> values[name] = number ? number as int : unescaped(text) }
        return values
    }

    private String unescaped(String text) {
        def signs = [n: "\n", t: "\t", r: "\r", b: "\b", f: "\f"]
        return text.replaceAll(/\\(?:u(\p{XDigit}{4})|(.))/) { all, hex, sign ->
            hex ? Character.toString(Integer.parseInt(hex, 16) as char) : signs.getOrDefault(sign, sign)
        }
    }

    // Settings as options of `cellspan`, which have the same names.
    List<String> options(Map settings) {
        settings.collectMany { name, value ->
            def flag = "--" + name.replace("_", "-")
            value instanceof Boolean ? (value ? [flag] : []) : [flag, value.toString()]
        }
    }

    // "1,3" as numbers; none for 0.
    List<Integer> channelNumbers(Object field) {
        def words = field.toString().split(",")*.trim()
        if (!words.every { it ==~ /\d{1,6}/ })
            fail("channel = '${field}' is not possible: give a number, or several with commas between, such as 1,3.")
        def numbers = words*.toInteger()
        if (numbers == [0])
            return []
        if (0 in numbers || numbers.toSet().size() < numbers.size())
            fail("channel = '${field}' is not possible: name each channel once; they count from 1.")
        return numbers
    }

    // ImageJ counts channels from 1, with 0 = none; the engine counts from 0.
    Map channels(List<Integer> mains, int nuclei) {
        def chosen = mains ? [channel: mains.collect { it - 1 }.join(",")] : [:]
        return chosen + (nuclei ? [nuclei_channel: nuclei - 1] : [:])
    }

    // The models that the dialogs offer; the installer writes them.
    List<String> models() {
        return modelsInWords().keySet() as List
    }

    // Those that find objects or those that restore images, by name, each with its name, network and size in words.
    Map<String, String> modelsInWords(boolean restoring = false) {
        return file("models.txt").readLines("UTF-8").findAll()
            .collect { line -> line.split("\t").collect { URLDecoder.decode(it.trim(), "UTF-8") } }
            .findAll { it[1] == (restoring ? "restores" : "finds") }
            .collectEntries { [it[0], "${it[0]} - ${it[2]}".toString()] }
    }

    // Those of Cellpose that can be downloaded, by name, each with its name and what it was trained on.
    Map<String, String> officialModels() {
        def answer = run(["models", "fetch"]) {}
        requireSuccess(answer)
        return answer.printed.collect { namedValues(it) }
            .collectEntries { [it.name, "${it.name} - ${it.images}".toString()] }
    }

    // Updates them, and everything else that the installer writes.
    void renewModels() {
        def home = new File(IJ.getDirectory("plugins"))
        def answer = run(["install", "fiji", "--to", home.path]) {}
        if (answer.code != 0)
            note("The model lists in the dialogs could not be updated; in a terminal, run  cellspan install fiji  again.")
    }

    void onEventThread(Runnable work) {
        if (EventQueue.dispatchThread)
            work.run()
        else
            EventQueue.invokeAndWait(work)
    }

    // ---- messages

    // Shows a message: in a box, or as a line where nobody sees boxes.
    private void tell(String sentence) {
        if (GraphicsEnvironment.headless)
            println("ERROR " + sentence)
        else if (Interpreter.batchMode || IJ.redirectingErrorMessages())
            log("ERROR " + wrapped(sentence))
        else // not IJ.error, which leaves the message to the macro
            new MessageDialog(IJ.instance, "cellspan", wrapped(sentence))
    }

    // Ends the macro or script that called the command, and without a display ImageJ with it.
    //
    // Fiji runs commands in a thread of their own. A macro's thread, which waits for it, ends by itself when IJ.run returns
    // and `abort` is set, but only if ImageJ does not believe that the macro has been told already.
    private void stopCaller() {
        Macro.abort()
        try {
            def told = IJ.getDeclaredField("macroInterpreter")
            told.accessible = true
            told.set(null, null)
        } catch (NoSuchFieldException older) {
            // ImageJ before 1.53 believes nothing of the kind
        }
        if (GraphicsEnvironment.headless && isWholeProgram())
            System.exit(1)
    }

    // Whether this Java runs nothing but ImageJ, started from a command line; and not a Python, for example.
    private boolean isWholeProgram() {
        return Thread.allStackTraces.values().any { calls ->
            calls.any { it.methodName == "main" && it.className in ["net.imagej.Main", "sc.fiji.Main", "ij.ImageJ"] }
        }
    }

    // Tells something that is not an error, in lines that the Log shows whole; a path gets one of its own.
    void note(String sentence, Object path = null) {
        def last = path != null ? "\n" + path : ""
        if (GraphicsEnvironment.headless)
            println("NOTE " + sentence + last)
        else
            log("cellspan: " + wrapped(sentence) + last)
    }

    // Adds to the Log, and makes its window as wide as these lines: at first it is narrow.
    private void log(String lines) {
        IJ.log(lines)
        def window = WindowManager.getWindow("Log")
        if (window)
            onEventThread {
                def font = window.getFontMetrics(new Font("SansSerif", Font.PLAIN, (int) Prefs.get("tw.font.size", 16)))
                def needed = lines.readLines().collect { font.stringWidth(it) }.max() + LOG_MARGIN
                def screen = window.graphicsConfiguration.bounds
                if (needed > window.width) {
                    window.setSize((int) Math.min(needed, screen.width), window.height)
                    window.setLocation((int) Math.max(screen.x, Math.min(window.x, screen.maxX - window.width)), window.y)
                }
            }
    }

    // Shows the last status of a command, such as how many objects there are. Fiji writes "Command finished" over it a moment
    // later; for a person, it then comes again.
    void done(String status) {
        status = "cellspan: " + status
        IJ.showStatus(status)
        if (GraphicsEnvironment.headless || Interpreter.instance)
            return
        Thread.startDaemon {
            for (attempt in 1..200) {
                sleep(20)
                if (ImageJ.statusBarText.startsWith("Command finished: ")) {
                    IJ.showStatus(status)
                    break
                }
            }
        }
    }

    String wrapped(String sentence) {
        return sentence.replaceAll(/(.{60,80}) /, '$1\n')
    }
}

IJ.getProperty("cellspan")?.close()
IJ.setProperty("cellspan", new Engine())
return IJ.getProperty("cellspan")
