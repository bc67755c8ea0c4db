// What the programs beside this file share: the commands run as Fiji runs them, with values in place of their #@ fields.

import ij.IJ
import ij.ImageJ
import ij.ImagePlus
import ij.WindowManager
import ij.gui.MultiLineLabel
import ij.gui.Roi
import ij.process.ShortProcessor
import java.awt.Button
import java.awt.Component
import java.awt.Container
import java.awt.Dialog
import java.awt.EventQueue
import java.awt.Window
import java.awt.event.ActionEvent

class Fiji {
    def scripts // stands in for Fiji's ScriptService, which the commands ask for the scripts that it knows
    final List<String> messages = Collections.synchronizedList([]) // of boxes that were shown, and answered with OK

    // Names and defaults of the fields of a command, as Fiji's macro recorder writes them.
    Map<String, Object> defaults(String name) {
        def types = [String: { it }, Double: { it as double }, Integer: { it as int }, Boolean: { it.toBoolean() }, File: { it ? new File(it) : null }]
        script(name).readLines().findResults { line ->
            def field = line =~ /^#@ (\w+) +\((?:.*\bvalue="?([^",)]*))?.*\) (\w+)$/
            field ? [field[0][3], types[field[0][1]]?.call(field[0][2])] : null
        }.collectEntries { it }
    }

    File script(String name) {
        return new File(System.getProperty("plugins.dir"), "scripts/Plugins/cellspan/${name}.groovy")
    }

    // Run a command that must not complain.
    void ok(Map settings = [:], String name, ImagePlus image = null) {
        messages.clear()
        run(settings, name, image)
        assert messages == []
    }

    void run(Map settings, String name, ImagePlus image = null) {
        def values = defaults(name)
        assert settings.keySet() - values.keySet() == [] as Set
        values = values + settings + [imp: image, scripts: scripts]
        def source = script(name).readLines().collect { it.startsWith("#@") ? "//" : it }.join("\n")
        new GroovyShell(getClass().classLoader, new Binding(values)).evaluate(source, name + ".groovy")
    }

    // Every ROI filled with its label, where it says that it is; a stack as large as the image has planes.
    List<short[]> painted(List<Roi> rois, ImagePlus image) {
        def planes = (1..image.NFrames * image.NSlices).collect { new ShortProcessor(image.width, image.height) }
        rois.each { roi ->
            def place = roi.hasHyperStackPosition() ? [roi.ZPosition ?: 1, roi.TPosition ?: 1]
                : image.convertIndexToPosition(Math.max(1, roi.position))[1, 2]
            def plane = planes[(place[1] - 1) * image.NSlices + place[0] - 1]
            plane.setValue(roi.name.split("-").last() as int)
            plane.fill(roi)
        }
        return planes*.pixels
    }

    String statusBar() {
        def line = ImageJ.getDeclaredField("statusLine").with { accessible = true; it }
        return line.get(IJ.instance).text
    }

    ImagePlus window(String title) {
        return WindowManager.getImage(title)
    }

    // Answers message boxes as a person who reads them and presses OK.
    void answerBoxes() {
        Thread.startDaemon {
            while (true) {
                sleep(100)
                Window.windows.findAll { it instanceof Dialog && it.visible && it.modal }.each { dialog ->
                    messages << text(dialog)
                    def ok = parts(dialog).find { it instanceof Button && it.label.trim() == "OK" }
                    def event = new ActionEvent(ok, ActionEvent.ACTION_PERFORMED, ok.label)
                    EventQueue.invokeAndWait { ok.actionListeners.each { it.actionPerformed(event) } }
                    sleep(200)
                }
            }
        }
    }

    private List<Component> parts(Component component) {
        [component] + (component instanceof Container ? component.components.collectMany { parts(it) } : [])
    }

    private String text(Dialog dialog) {
        def labels = parts(dialog).findAll { it instanceof MultiLineLabel }
        def lines = MultiLineLabel.getDeclaredField("lines").with { accessible = true; it }
        return labels.collectMany { lines.get(it) as List }.join(" ").replaceAll(/\s+/, " ").trim()
    }
}

return new Fiji()
