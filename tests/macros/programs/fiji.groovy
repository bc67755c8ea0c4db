// What the programs beside this file share: the commands run as Fiji runs them, by SciJava, with values for their fields.

import ij.IJ
import ij.ImageJ
import ij.ImagePlus
import ij.Macro
import ij.Menus
import ij.WindowManager
import ij.gui.MultiLineLabel
import ij.gui.Roi
import ij.plugin.PlugIn
import ij.process.ShortProcessor
import java.awt.Button
import java.awt.Component
import java.awt.Container
import java.awt.Dialog
import java.awt.EventQueue
import java.awt.Window
import java.awt.event.ActionEvent
import org.codehaus.groovy.jsr223.GroovyScriptEngineFactory
import org.scijava.Context
import org.scijava.convert.ConvertService
import org.scijava.module.Module
import org.scijava.module.ModuleRunner
import org.scijava.module.ModuleService
import org.scijava.module.process.PostprocessorPlugin
import org.scijava.module.process.PreprocessorPlugin
import org.scijava.plugin.PluginService
import org.scijava.script.ScriptInfo
import org.scijava.script.ScriptService

// Stands in ImageJ's menu for a command, as the one that Fiji puts there: the macro's thread waits for one of SciJava's.
class FijiCommand implements PlugIn {
    static Fiji fiji

    void run(String name) {
        def options = Macro.options
        def keys = fiji.command(name).inputs()*.name
        def image = "imp" in keys ? WindowManager.currentImage : null
        def work = { fiji.start(name, image) }
        if (options != null)
            work = {
                Macro.options = options
                def values = keys.collectEntries { [it, Macro.getValue(options, it, null)] }
                fiji.run(values.findAll { it.value != null }, name, image)
            }
        new Thread(work, 'Run$_SciJava-Thread').with {
            start()
            join()
        }
    }
}

class Fiji {
    final Context context = new Context()
    final ScriptService scripts = context.service(ScriptService)
    final List<String> messages = Collections.synchronizedList([]) // of boxes that were shown, and answered with OK

    Fiji() {
        scripts.addAlias(ImagePlus)
        scripts.index.add(new GroovyScriptEngineFactory(), true)
        scripts.addScriptDirectory(new File(System.getProperty("plugins.dir"), "scripts"))
    }

    ScriptInfo command(String name) {
        return scripts.scripts.find { new File(it.path).name == name + ".groovy" }
    }

    // Run a command that must not complain.
    void ok(Map settings = [:], String name, ImagePlus image = null) {
        messages.clear()
        run(settings, name, image)
        assert messages == []
    }

    // In the thread that calls, as a macro does; settings not given have their defaults, as in a macro.
    void run(Map settings, String name, ImagePlus image = null) {
        def usual = command(name).inputs().findAll { it.get("kind") }.take(1).collectEntries { [it.name, it.defaultValue] }
        def module = filled(command(name), usual + settings + (image ? [imp: image] : [:]))
        process(module)
    }

    // As a person starts it from the menu.
    void start(String name, ImagePlus image = null) {
        process(filled(command(name), image ? [imp: image] : [:]))
    }

    private void process(Module module) {
        new ModuleRunner(context, module, plugins(PreprocessorPlugin), plugins(PostprocessorPlugin)).run()
    }

    // Lets macros run the commands by their names, as in Fiji.
    void serveMacros() {
        FijiCommand.fiji = this
        // With the patcher for no display, it has another name.
        def loader = IJ.declaredFields.find { it.name == "_classLoader" } ?: IJ.getDeclaredField("classLoader")
        loader.accessible = true
        loader.set(null, getClass().classLoader)
        scripts.scripts.each {
            Menus.commands.put(it.menuPath.leaf.name, 'FijiCommand("' + (new File(it.path).name - ".groovy") + '")')
        }
    }

    // A command with values that need no asking.
    Module filled(ScriptInfo command, Map<String, Object> values) {
        def module = context.service(ModuleService).createModule(command)
        assert values.keySet() - command.inputs()*.name == [] as Set
        values.each { key, value ->
            def type = command.getInput(key).type
            module.setInput(key, type == CharSequence ? value.toString() : context.service(ConvertService).convert(value, type))
            module.resolveInput(key)
        }
        return module
    }

    List plugins(Class type) {
        return context.service(PluginService).createInstancesOfType(type)
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
                    def ok = parts(dialog).find { it instanceof Button && it.label.trim() == "OK" }
                    if (!ok) // no message
                        return
                    messages << text(dialog)
                    def event = new ActionEvent(ok, ActionEvent.ACTION_PERFORMED, ok.label)
                    EventQueue.invokeAndWait { ok.actionListeners.each { it.actionPerformed(event) } }
                    sleep(200)
                }
            }
        }
    }

    List<Component> parts(Component component) {
        [component] + (component instanceof Container ? component.components.collectMany { parts(it) } : [])
    }

    private String text(Dialog dialog) {
        def labels = parts(dialog).findAll { it instanceof MultiLineLabel }
        def lines = MultiLineLabel.getDeclaredField("lines").with { accessible = true; it }
        return labels.collectMany { lines.get(it) as List }.join(" ").replaceAll(/\s+/, " ").trim()
    }
}

return new Fiji()
