// A command that fails ends the macro that runs it, after one message: in a box, or in the Log in batch mode.
//
// Arguments: FOLDER_OF_THIS_FILE

import ij.IJ
import ij.ImageJ
import ij.WindowManager

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
fiji.serveMacros()

def macro = { boolean batch, String command, String options ->
    fiji.messages.clear()
    def result = IJ.runMacro("""
        setBatchMode(${batch});
        newImage("field", "8-bit ramp", 64, 64, 1);
        run("${command}", "${options}");
        print("the macro went on");
        return "to its end";
    """)
    def log = (IJ.log ?: "").readLines()
    WindowManager.closeAllWindows() // and the Log
    return [result, fiji.messages.toList(), log]
}
def misspelt = "There is no setting 'diamter'"
for (command in ["Segment Cells", "Segment Folder", "Train from ROIs"]) {
    def (result, messages, log) = macro(false, command, "diamter=30")
    assert result == "[aborted]" && messages.size() == 1 && messages[0].startsWith(misspelt) && log == [] : command
    (result, messages, log) = macro(true, command, "diamter=30")
    assert result == "[aborted]" && messages == [] && log.size() == 1 && log[0].startsWith("ERROR " + misspelt) : command
}
// The next macro is not stopped as well.
def (result, messages, log) = macro(false, "Stop Engine", "")
assert result == "to its end" && messages == [] && log == ["the macro went on"]
println "done"
System.exit(0)
