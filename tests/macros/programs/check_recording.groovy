// Where Fiji puts the commands into its menu, and what its recorder writes.
//
// Arguments: FOLDER_OF_THIS_FILE
// SciJava, ImageJ's recorder and its reader of options are the real ones. Fiji's few lines between them, which are in
// no public package registry, are written here again: a macro's options are inputs that need no asking; the recorder
// gets every input with a value that no macro gave.

import ij.ImagePlus
import ij.Macro
import ij.plugin.frame.Recorder
import org.scijava.module.process.PreprocessorPlugin

fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
def known = fiji.scripts.scripts.findAll { it.menuPath.menuString.contains("cellspan") }
    .collectEntries { [it.menuPath.leaf.name, it] }
// What people look for first is first, in the menu and in what the search bar finds.
assert known.values()*.menuPath*.menuString.sort() == ["Segment Cells", "Segment Cells with Nuclei", "Segment Folder",
    "Segment Help", "Show Engine Status", "Show Measurements", "Stop Engine", "Track Objects", "Track with TrackMate",
    "Train from ROIs", "Use Cellpose Model"].collect { "Plugins > cellspan > " + it }
assert known.values().sort()*.menuPath*.leaf*.name[0] == "Segment Cells"

// The command as a macro with these options starts it: [module, names of the inputs that Fiji asks for].
List started(command, String options) {
    def values = command.inputs().collectEntries { [it.name, Macro.getValue(options, it.name, null)] }
    if ("imp" in values.keySet())
        values.imp = new ImagePlus()
    def module = fiji.filled(command, values.findAll { it.value != null })
    fiji.plugins(PreprocessorPlugin).each { it.process(module) }
    return [module, command.inputs()*.name.findAll { !module.isInputResolved(it) }]
}

// The options that the recorder writes when a person presses OK.
String recorded(module, List<String> asked) {
    Recorder.resetCommandOptions()
    asked.each { name ->
        if (module.getInput(name) != null)
            Recorder.recordOption(name, module.getInput(name).toString())
    }
    return Recorder.commandOptions
}

known.sort().each { title, command ->
    def (module, asked) = started(command, "")
    if (title == "Segment Folder") // whose folder has no default
        module.setInput("folder", "/data/plate 1")
    // SciJava has no field for this type, so there is no dialog but ours.
    assert asked.every { command.getInput(it).type == CharSequence && !command.getInput(it).required }
    if (!asked)
        return
    def options = recorded(module, asked)
    def (again, left) = started(command, options + " ")
    assert left == [] : "${title} recorded as ${options}"
    asked.each { assert again.getInput(it) == module.getInput(it) }
    println "run(\"${title}\", \"${options.trim()}\");"
}

System.exit(0)
