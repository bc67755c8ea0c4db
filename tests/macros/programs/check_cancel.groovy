// Esc while the engine works: no outlines, no message, and the process that asked the engine is gone.
//
// Arguments: FOLDER_OF_THIS_FILE

import ij.IJ
import ij.ImageJ
import ij.plugin.frame.RoiManager
import java.awt.event.KeyEvent

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def image = IJ.createImage("noise", "8-bit noise", 3000, 3000, 1)
image.show()
def shown = Collections.synchronizedSet([] as Set)
def pressed = 0
Thread.startDaemon {
    while (!fiji.statusBar().contains("running the network")) {
        shown << fiji.statusBar()
        sleep(20)
    }
    pressed = System.currentTimeMillis()
    IJ.setKeyDown(KeyEvent.VK_ESCAPE)
}
def children = { ProcessHandle.current().children().filter { it.info().command().orElse("").contains("python") }.count() }
fiji.run("Segment_Cells", image, model: "nuclei", diameter: 20)
println "seconds ${(System.currentTimeMillis() - pressed) / 1000}"
assert pressed > 0
assert RoiManager.instance2 == null || RoiManager.instance2.count == 0
assert fiji.messages == []
assert image.overlay == null
assert children() == 0
assert fiji.statusBar() == "cellspan: cancelled"
println "shown ${shown.findAll()*.replaceAll(/\d+/, 'N').toSet().sort()}"
System.exit(0)
