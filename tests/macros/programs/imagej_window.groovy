// Runs a macro in the real ImageJ with its windows, answers its dialogs, and reports what was to be seen.
//
// Arguments: MACRO.ijm ARGUMENT REPORT.txt [SCREENSHOT.png]; the property `typed` goes into a dialog's first field, and
// `commands` names the file fiji.groovy if the macro runs commands for Fiji.

import ij.IJ
import ij.ImageJ
import ij.gui.MultiLineLabel
import java.awt.Button
import java.awt.Component
import java.awt.Container
import java.awt.Dialog
import java.awt.EventQueue
import java.awt.Frame
import java.awt.Rectangle
import java.awt.Robot
import java.awt.TextField
import java.awt.Toolkit
import java.awt.Window
import java.awt.event.ActionEvent
import javax.imageio.ImageIO

def (macro, argument, report) = args
def screenshot = args.length > 3 ? args[3] : null
def seen = Collections.synchronizedList([])

List<Component> parts(Component component) {
    [component] + (component instanceof Container ? component.components.collectMany { parts(it) } : [])
}

String text(Dialog dialog) {
    def labels = parts(dialog).findAll { it instanceof MultiLineLabel }
    def lines = MultiLineLabel.getDeclaredField("lines").with { accessible = true; it }
    labels.collectMany { lines.get(it) as List }.join(" ")
}

// As a person would who reads a message, or fills in the first field, and presses OK.
def answer = {
    Window.windows.findAll { it instanceof Dialog && it.visible && it.modal }.each { dialog ->
        seen << "DIALOG ${dialog.title}: ${text(dialog)}".replaceAll(/\s+/, " ").trim()
        def field = parts(dialog).find { it instanceof TextField }
        def ok = parts(dialog).find { it instanceof Button && it.label.trim() == "OK" }
        EventQueue.invokeAndWait {
            if (field && System.getProperty("typed"))
                field.text = System.getProperty("typed")
            ok.actionListeners.each { it.actionPerformed(new ActionEvent(ok, ActionEvent.ACTION_PERFORMED, ok.label)) }
        }
        sleep(300)
    }
}

new ImageJ()
if (System.getProperty("commands"))
    new GroovyShell(getClass().classLoader).evaluate(new File(System.getProperty("commands"))).serveMacros()
Thread.startDaemon {
    while (true) {
        sleep(200)
        answer()
    }
}
def result = IJ.runMacroFile(macro, argument)
sleep(500)
answer()
Frame.frames.findAll { it.visible }.each { seen << "WINDOW ${it.title}" }
(IJ.log ?: "").readLines().each { seen << "LOG ${it}" }
seen << "RESULT ${result}"
new File(report).setText(seen.join("\n"), "UTF-8")
if (screenshot) {
    def everything = new Rectangle(Toolkit.defaultToolkit.screenSize)
    ImageIO.write(new Robot().createScreenCapture(everything), "png", new File(screenshot))
}
System.exit(0)
