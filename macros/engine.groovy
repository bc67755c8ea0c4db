// What the commands of cellspan share: they run the engine, show its progress, and say in one sentence what went wrong.
//
// `cellspan install fiji` puts this file into plugins/cellspan, where it is no command itself. A command evaluates it
// and gets an object of the class Engine.

import ij.IJ
import ij.Macro
import ij.macro.Interpreter
import java.awt.EventQueue
import java.awt.GraphicsEnvironment
import java.nio.file.Files
import java.util.concurrent.TimeUnit
import org.scijava.script.ScriptInfo
import org.scijava.script.ScriptService

class Problem extends Exception {
    Problem(String sentence) { super(sentence) }
}

class Cancelled extends Exception {
}

class Engine {

    // A command from its start to its end, whatever happens; `work` gets a folder that is gone afterwards.
    void command(Script script, Closure work) {
        def folder = Files.createTempDirectory("cellspan").toFile()
        try {
            requireKnown(Macro.options, script.binding.variables.keySet())
            work(folder)
        } catch (Problem problem) {
            tell(problem.message)
        } catch (Cancelled cancelled) {
            IJ.showStatus("cellspan: cancelled")
            Macro.abort()
        } catch (OutOfMemoryError full) {
            tell("ImageJ's memory is full: close images, or give it more with Edit > Options > Memory & Threads.")
        } catch (Throwable fault) {
            fault.printStackTrace() // to the console, for those who mend it
            tell("cellspan failed with an internal error (${fault}); please report it.")
        } finally {
            folder.deleteDir()
            IJ.showProgress(1.0)
        }
    }

    // A macro's settings that Fiji would silently leave out: misspelt names, and ticks without "=true".
    void requireKnown(String options, Set<String> known) {
        (options ?: "").replaceAll(/=\[[^\]]*\]/, "=x").split().each { word ->
            def name = word.split("=")[0]
            if (!(name in known))
                fail("There is no setting '${name}'; see the table of settings in docs/fiji.md.")
            if (!word.contains("="))
                fail("The setting '${name}' needs a value: write ${name}=true.")
        }
    }

    void fail(String sentence) {
        throw new Problem(sentence)
    }

    // The words of the command that starts the engine; the installer wrote them into a file, one a line.
    List<String> words() {
        def file = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.txt")
        if (!file.exists())
            fail("cellspan's engine is not known here: in a terminal, run  cellspan install fiji --to FOLDER  " +
                "with the folder of this Fiji.")
        return file.readLines("UTF-8").findAll().collect { URLDecoder.decode(it.trim(), "UTF-8") }
    }

    // Runs the engine with these arguments to its end: [printed: lines, errors: lines, code: exit code].
    // `onLine` gets each line of its standard error as soon as it is there, `onTick` the seconds that have passed, now
    // and then. Esc ends the program.
    Map run(List<String> arguments, Closure onLine = { showProgress(it) }, Closure onTick = null) {
        IJ.resetEscape()
        def started = System.currentTimeMillis()
        def process = start(words() + arguments)
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
                stop(process, "--watch" in arguments)
                throw new Cancelled()
            }
        }
        readers*.join()
        waiting.each { onLine(it) }
        return [printed: printed, errors: errors, code: process.exitValue()]
    }

    private Process start(List<String> words) {
        def builder = new ProcessBuilder(words)
        builder.environment()["PYTHONIOENCODING"] = "utf-8"
        builder.environment()["PYTHONUNBUFFERED"] = "1"
        try {
            return builder.start()
        } catch (IOException error) {
            fail("The engine did not start (${error.message}); in a terminal, run  cellspan install fiji  again.")
        }
    }

    // A program that watches its input cancels its job when that is closed; else, or if it does not, it has to end.
    private void stop(Process process, boolean watches) {
        process.outputStream.close()
        if (watches && process.waitFor(3, TimeUnit.SECONDS))
            return
        process.destroy()
        if (!process.waitFor(5, TimeUnit.SECONDS))
            process.destroyForcibly()
    }

    // A line such as "PROGRESS 0.43 running the network", or "NOTE sentence".
    void showProgress(String line) {
        def progress = line =~ /^PROGRESS (\d\.\d+) (.*)$/
        if (progress) {
            IJ.showStatus("cellspan: " + progress[0][2] + " (Esc to cancel)")
            IJ.showProgress(progress[0][1] as double)
        } else if (line.startsWith("NOTE "))
            note(line - "NOTE ")
    }

    // What fiji-segment prints: one line, "OK <count> <file>" or "ERROR <sentence>".
    int countIn(Map answer) {
        def line = answer.printed ? answer.printed.last() : ""
        if (line ==~ /OK \d+ .*/)
            return line.split(" ")[1] as int
        if (line.startsWith("ERROR "))
            fail(line - "ERROR ")
        fail("The engine gave no answer; in a terminal, run  cellspan doctor  to see why.")
    }

    // The sentence of a command that failed, which `cellspan` prints last.
    void requireSuccess(Map answer) {
        if (answer.code == 0)
            return
        def sentence = answer.errors.findAll { it.trim() }
        fail(sentence ? sentence.last().replaceFirst(/^(cellspan|Error): /, "")
            : "The engine gave no answer; in a terminal, run  cellspan doctor  to see why.")
    }

    // The options of `cellspan` for settings with the same names.
    List<String> options(Map settings) {
        settings.collectMany { name, value ->
            def flag = "--" + name.replace("_", "-")
            value instanceof Boolean ? (value ? [flag] : []) : [flag, value.toString()]
        }
    }

    // Channels of ImageJ, counted from 1, as the engine counts them; 0 = none was chosen.
    Map channels(int main, int nuclei) {
        return (main ? [channel: main - 1] : [:]) + (nuclei ? [nuclei_channel: nuclei - 1] : [:])
    }

    // The folder of a field; null where the field holds its words for none. Words, because the recorder leaves out what
    // is empty, and Fiji would ask for it again.
    File chosen(File folder, String none) {
        return folder?.name == none ? null : folder
    }

    // The models that the commands offer become those of today: in their files, and in the texts of its scripts that Fiji
    // keeps from its start on.
    void renewModels(ScriptService scripts) {
        def home = new File(IJ.getDirectory("plugins"))
        def answer = run(["install", "fiji", "--to", home.path]) {}
        if (answer.code != 0)
            note("The lists of models in the dialogs are those of before; in a terminal, run  cellspan install fiji  again.")
        scripts.scripts.findAll { new File(it.path ?: "").parentFile?.name == "cellspan" }.each { old ->
            def today = new ScriptInfo(old.context(), new File(old.URL.toURI()))
            old.getInput("model")?.choices = today.getInput("model")?.choices
        }
    }

    void onEventThread(Runnable work) {
        if (EventQueue.dispatchThread)
            work.run()
        else
            EventQueue.invokeAndWait(work)
    }

    // ---- messages

    // One message, then the end of the macro that called the command: a box, or a line where nobody sees boxes.
    void tell(String sentence) {
        if (GraphicsEnvironment.headless) {
            println("ERROR " + sentence)
            Macro.abort()
        } else if (Interpreter.batchMode) {
            IJ.log("ERROR " + sentence)
            Macro.abort()
        } else
            IJ.error("cellspan", wrapped(sentence))
    }

    // Something to know that is no mistake.
    void note(String sentence) {
        if (GraphicsEnvironment.headless)
            println("NOTE " + sentence)
        else
            IJ.log("cellspan: " + sentence)
    }

    String wrapped(String sentence) {
        return sentence.replaceAll(/(.{60,80}) /, '$1\n')
    }
}

return new Engine()
