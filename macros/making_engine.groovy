// Makes the engine's own Python environment, if the commands came as a zip or from an update site: uv does it, in the
// user's data folder.
//
// plugins/cellspan/engine_wanted.txt says what belongs into it; `cellspan install fiji` leaves no such file. CellProfiler's
// plugin does the same by the same file (cellspan_plugin/making_engine.py), and both use an environment that the other one
// has made.

import java.security.MessageDigest
import java.util.zip.ZipInputStream

class MakingEngine {
    private static final String READY = "ready" // the file that an environment gets when it is complete
    private static final int TIMEOUT = 60000 // milliseconds without a byte
    private static final int LOOK = 100 // milliseconds between two looks at the user
    private static final int STEPS = 4 // that a person is told of
    private final cellspan, words
    final Map<String, String> wanted // what engine_wanted.txt says

    MakingEngine(cellspan) {
        this.cellspan = cellspan
        words = cellspan.shared("uv_words")
        wanted = cellspan.file("engine_wanted.txt").readLines("UTF-8").findAll { it.contains("=") && !it.startsWith("#") }
            .collectEntries { it.split("=", 2)*.trim() as List }
    }

    // The package that is installed; it came with the commands.
    File wheel() {
        return cellspan.file(wanted.wheel)
    }

    // The folder with the environments, uv, its downloads and its Python; CELLSPAN_ENGINES moves it.
    static File enginesFolder() {
        if (System.getenv("CELLSPAN_ENGINES"))
            return new File(System.getenv("CELLSPAN_ENGINES"))
        def home = new File(System.getProperty("user.home"))
        def data = [
            windows: System.getenv("LOCALAPPDATA") ?: new File(home, "AppData/Local"),
            macos: new File(home, "Library/Application Support"),
            linux: System.getenv("XDG_DATA_HOME") ?: new File(home, ".local/share"),
        ]
        return new File(data[system()].toString(), "cellspan/engines")
    }

    // Whether this Python belongs to an environment that was made here for another version.
    boolean isOutdated(String program) {
        def engines = enginesFolder().toPath()
        def path = new File(program).toPath()
        return path.startsWith(engines) && !engines.relativize(path).toString().startsWith(wanted.version + "-")
    }

    // What a person is asked first: what is downloaded, how much, and where it goes.
    String question() {
        def values = [DOWNLOAD_MB: wanted.download_mb, DISK_MB: wanted.disk_mb, WHEELHOUSE: wheelhouse(), FOLDER: enginesFolder()]
        def text = wanted[wheelhouse() ? "question_offline" : "question"].replace("|", "\n")
        return values.inject(text) { said, name, value -> said.replace(name, value.toString()) }
    }

    // The Python of a complete environment of this version, perhaps made from another program; or null.
    File madeBefore() {
        def made = enginesFolder().listFiles()?.findAll { it.name.startsWith(wanted.version + "-") } ?: []
        return made.findAll { new File(it, READY).exists() }.collect { pythonIn(it) }.find { it.canExecute() }
    }

    // Makes the environment, unless there is one of this version, and installs the commands from it into this Fiji. `tell`
    // gets what is going on, several times a second, and ends the work by an exception.
    void connect(Closure tell) {
        def python = madeBefore() ?: make(tell)
        def install = [python.path, "-m", "cellspan.core.cli", "install", "fiji", "--to", wheel().parentFile.parent]
        def answer = run(install, step(4, "connecting to Fiji"), tell)
        if (answer.code != 0)
            cellspan.fail("The engine is there, but it could not be connected to this Fiji: " + words.errorIn(answer.lines))
    }

    // A new environment, complete or not there at all; its Python.
    private File make(Closure tell) {
        def place = new File(enginesFolder(), wanted.version + "-" + UUID.randomUUID().toString().take(8))
        try {
            if (!place.mkdirs())
                cellspan.fail("${place}: the engine cannot be made there.")
            log().text = ""
            def offline = wheelhouse() ? ["--no-index", "--find-links", wheelhouse().path] : []
            def uv = uv(tell)
            def version = System.getenv("CELLSPAN_PYTHON") ?: wanted.python
            def python = pythonIn(place)
            def install = [uv, "pip", "install", "--python", python.path, *offline, wheel().path]
            for (task in [
                [doing: step(2, "getting Python ${version}"), command: [uv, "venv", "--python", version, place.path]],
                [doing: step(3, "getting the packages"), command: install],
            ]) {
                def answer = run(task.command, task.doing, tell)
                if (answer.code != 0)
                    cellspan.fail(words.failure(answer.lines, log(), wanted.disk_mb))
            }
            new File(place, READY).text = ""
            return python
        } finally {
            if (!new File(place, READY).exists())
                place.deleteDir()
        }
    }

    // uv, which makes the environment: from the PATH, from an earlier time, from the wheelhouse, or downloaded.
    private String uv(Closure tell) {
        def name = system() == "windows" ? "uv.exe" : "uv"
        def onPath = (System.getenv("PATH") ?: "").split(File.pathSeparator).collect { new File(it, name) }
        def place = new File(enginesFolder(), "uv-${wanted.uv}/${name}")
        def found = (onPath + place).find { it.file && it.canExecute() }
        if (found)
            return found.path
        def computer = computer()
        def address = wanted["uv_${computer}".toString()]
        def wheel = address.split("/").last()
        def mirror = System.getenv("CELLSPAN_UV_MIRROR") // a folder on a web server
        def content
        if (wheelhouse()) {
            if (!new File(wheelhouse(), wheel).exists())
                cellspan.fail("${wheelhouse()}: the file ${wheel} is missing in this folder; it makes the engine.")
            content = new File(wheelhouse(), wheel).bytes
        } else
            content = download(mirror ? mirror.replaceAll(/\/+$/, "") + "/" + wheel : address, tell)
        def sum = MessageDigest.getInstance("SHA-256").digest(content).encodeHex().toString()
        if (sum != wanted["uv_${computer}_sha256".toString()])
            cellspan.fail("${wheel} is not the file that was expected (its checksum differs), so it was not used.")
        place.parentFile.mkdirs()
        def partial = File.createTempFile("uv-", "", place.parentFile)
        new ZipInputStream(new ByteArrayInputStream(content)).withStream { zip ->
            for (def entry = zip.nextEntry; entry; entry = zip.nextEntry)
                if (entry.name == "uv-${wanted.uv}.data/scripts/${name}".toString())
                    partial.withOutputStream { it << zip }
        }
        partial.setExecutable(true)
        partial.renameTo(place)
        return place.path
    }

    private byte[] download(String address, Closure tell) {
        def bytes = new ByteArrayOutputStream()
        try {
            def connection = new URL(address).openConnection()
            connection.connectTimeout = connection.readTimeout = TIMEOUT
            def size = connection.contentLength.intdiv(1000000)
            connection.inputStream.withStream { input ->
                input.eachByte(1 << 18) { buffer, count ->
                    bytes.write(buffer, 0, count)
                    tell(step(1, "getting the installer, uv, ${bytes.size().intdiv(1000000)} of ${size} MB"))
                }
            }
            return bytes.toByteArray()
        } catch (IOException error) {
            log().text = "${address}: ${error}\n" // too long to be told
            cellspan.fail(words.notReached(new URL(address).host, error.toString(), log()))
        }
    }

    // What is going on, and how much is still to come.
    private static String step(int number, String doing) {
        return "step ${number} of ${STEPS}: ${doing}"
    }

    // Runs a program to its end: its exit code, and the lines that it printed; they go into the log, too. `tell` gets what
    // is going on again and again, with how much is downloaded.
    private Map run(List<String> command, String doing, Closure tell) {
        tell(doing)
        def builder = new ProcessBuilder(command*.toString()).redirectErrorStream(true)
        def environment = builder.environment()
        environment.keySet().removeAll { it.startsWith("PYTHON") || it == "VIRTUAL_ENV" }
        environment.PYTHONUTF8 = "1"
        // The certificates of the computer, as browsers do: in many institutes, one of them is the network's own. The
        // variable has another name in older uv; with both, it does not warn.
        environment.putIfAbsent("UV_SYSTEM_CERTS", "1")
        environment.putIfAbsent("UV_NATIVE_TLS", "1")
        environment.putIfAbsent("UV_CACHE_DIR", new File(enginesFolder(), "downloads").path)
        environment.putIfAbsent("UV_PYTHON_INSTALL_DIR", new File(enginesFolder(), "python").path)
        if (wheelhouse())
            environment.UV_PYTHON_DOWNLOADS = "never"
        def process = builder.start()
        process.outputStream.close()
        def lines = Collections.synchronizedList([])
        def reader = Thread.startDaemon {
            try {
                process.inputStream.eachLine("UTF-8") { if (it.trim()) lines << it }
            } catch (IOException stopped) {
                // and what it would have said is of no interest
            }
        }
        try {
            while (process.alive) {
                tell(doing + words.downloaded(lines.toArray() as List))
                sleep(LOOK)
            }
        } finally {
            if (process.alive)
                process.destroyForcibly().waitFor()
            reader.join(1000)
            log().append(([command.join(" ")] + lines + [""]).join("\n"), "UTF-8")
        }
        return [code: process.exitValue(), lines: lines]
    }

    private File log() {
        return new File(enginesFolder(), "last_installation.log")
    }

    // The folder with everything that is installed, for computers without internet; null to download it.
    private File wheelhouse() {
        def place = System.getenv("CELLSPAN_WHEELHOUSE")
        def found = place ? new File(place) : new File(wheel().parentFile, "wheelhouse")
        return found.directory ? found : null
    }

    private static File pythonIn(File environment) {
        return new File(environment, system() == "windows" ? "Scripts/python.exe" : "bin/python")
    }

    // System and processor, as in the names of engine_wanted.txt. A Mac is asked itself, because it tells programs for Intel's
    // processors that it has one. Windows runs programs for Intel on every processor, and not all packages have others.
    private static String computer() {
        def isArm = System.getProperty("os.arch") in ["aarch64", "arm64"]
        if (system() == "macos")
            isArm = ["/usr/sbin/sysctl", "-n", "hw.optional.arm64"].execute().text.trim() == "1"
        return system() + (isArm && system() != "windows" ? "_arm64" : "_x86_64")
    }

    private static String system() {
        def name = System.getProperty("os.name").toLowerCase()
        return name.startsWith("windows") ? "windows" : name.startsWith("mac") ? "macos" : "linux"
    }
}

return MakingEngine
