// Where Fiji puts the commands into its menu, what it asks for when a macro runs them, and what its recorder writes.
//
// Arguments: FOLDER_OF_THIS_FILE
// SciJava, ImageJ's recorder and its reader of options are the real ones. Fiji's few lines between them, which are in
// no public package registry, are written here again: a macro's options are inputs that need no asking; the recorder
// gets every input with a value that was not there before the dialog.

import ij.ImagePlus
import ij.Macro
import ij.plugin.frame.Recorder
import org.scijava.module.process.PreprocessorPlugin

fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
def known = fiji.scripts.scripts.findAll { it.menuPath.menuString.contains("cellspan") }
    .collectEntries { [it.menuPath.leaf.name, it] }
// What people look for first is first, in the menu and in what the search bar finds.
assert known.values()*.menuPath*.menuString.sort() == ["Segment Cells", "Segment Folder", "Segment Help", "Show Engine Status",
    "Stop Engine", "Train from ROIs"].collect { "Plugins > cellspan > " + it }
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
    asked.each { name ->
        if (name == "folder" && title == "Segment Folder") // which has no default
            module.setInput(name, new File("/data/plate 1"))
    }
    if (!asked)
        return
    def options = recorded(module, asked)
    def (again, left) = started(command, options + " ")
    assert left == [] : "${title} recorded as ${options}"
    asked.each { assert again.getInput(it) == module.getInput(it) }
    println "run(\"${title}\", \"${options.trim()}\");"
}

// A macro that does not give every setting is asked for the others, which have their defaults in the dialog.
def (brief, unset) = started(known["Segment Cells"], "model=nuclei diameter=30 ")
assert !("model" in unset) && !("diameter" in unset) && "min_size" in unset
assert brief.getInput("min_size") == 15
System.exit(0)
