// A person at the screen: finds windows, clicks and types, with the mouse and the keyboard of the display.

import java.awt.Component
import java.awt.Container
import java.awt.Dialog
import java.awt.EventQueue
import java.awt.Frame
import java.awt.Rectangle
import java.awt.Robot
import java.awt.Toolkit
import java.awt.Window
import java.awt.event.InputEvent
import java.awt.event.KeyEvent
import javax.imageio.ImageIO
import javax.swing.AbstractButton
import javax.swing.JCheckBox
import javax.swing.JComboBox
import javax.swing.JLabel
import javax.swing.text.JTextComponent

class Person {
    private static final int SECONDS = 60 // to wait for what should happen
    private final Robot robot = new Robot().with { autoDelay = 20; it }
    Window dialog // the one in use

    // The window whose title begins so, once it is there.
    Window use(String title) {
        dialog = until("window ${title}") {
            Window.windows.find { it.showing && (it instanceof Dialog || it instanceof Frame) && it.title.startsWith(title) }
        }
        calm()
        return dialog
    }

    // What a closure gives, as soon as it gives something.
    Object until(String what, Closure closure) {
        for (attempt in 1..SECONDS * 20) {
            def found = closure()
            if (found)
                return found
            sleep(50)
        }
        throw new AssertionError("there is no ${what}; shown: ${texts()}")
    }

    void press(String text) {
        click(shown(AbstractButton, text))
    }

    void clickAt(int x, int y) {
        robot.mouseMove(x, y)
        robot.mousePress(InputEvent.BUTTON1_DOWN_MASK)
        robot.mouseRelease(InputEvent.BUTTON1_DOWN_MASK)
        calm()
    }

    // Replaces the text of the field with this label.
    void type(String label, String text) {
        def field = field(label)
        click(field)
        hold(KeyEvent.VK_CONTROL) { strike(KeyEvent.VK_A) }
        text.each { sign -> strike(KeyEvent.getExtendedKeyCodeForChar((int) (sign as char))) }
        calm()
        assert field.text == text
    }

    void choose(String label, String item) {
        def combo = beside(label, JComboBox)
        EventQueue.invokeAndWait { combo.selectedItem = item }
        calm()
    }

    JTextComponent field(String label) {
        return beside(label, JTextComponent)
    }

    // The first part of this kind to the right of a label.
    Component beside(String label, Class kind) {
        def name = shown(JLabel, label)
        def middle = name.locationOnScreen.y + name.height / 2
        def found = parts(dialog).findAll {
            kind.isInstance(it) && it.showing && it.locationOnScreen.with { place ->
                place.x > name.locationOnScreen.x && Math.abs(place.y + it.height / 2 - middle) < 8
            }
        }
        assert found : "nothing beside ${label}"
        return found.min { it.locationOnScreen.x }
    }

    Component shown(Class kind, String text) {
        return until("part ${text}") { parts(dialog).find { kind.isInstance(it) && it.showing && it.text?.startsWith(text) } }
    }

    // All that can be read in the dialog.
    List<String> texts() {
        return parts(dialog).findAll { it.showing && it.hasProperty("text") && it.text?.trim() }*.text
    }

    void picture(String path, Rectangle place = new Rectangle(Toolkit.defaultToolkit.screenSize)) {
        calm()
        ImageIO.write(robot.createScreenCapture(place), "png", new File(path))
    }

    private void click(Component part) {
        EventQueue.invokeAndWait { part.parent.scrollRectToVisible(part.bounds) }
        def place = part.locationOnScreen
        clickAt(place.x + (part instanceof JCheckBox ? 10 : part.width.intdiv(2)) as int, place.y + part.height.intdiv(2) as int)
    }

    private void strike(int key) {
        robot.keyPress(key)
        robot.keyRelease(key)
    }

    private void hold(int key, Closure work) {
        robot.keyPress(key)
        work()
        robot.keyRelease(key)
    }

    private void calm() {
        robot.waitForIdle()
        sleep(150)
    }

    private List<Component> parts(Component part) {
        return part == null ? [] : [part] + (part instanceof Container ? part.components.collectMany { parts(it) } : [])
    }
}

return new Person()
