// Offers to make the engine when commands that came as a zip or from an update site are used first: one dialog that says
// what is downloaded, and then shows how far it is. Nothing is downloaded without a click.
//
// making_engine.groovy does the work. `cellspan install fiji` puts this file into plugins/cellspan.

import ij.IJ
import ij.macro.Interpreter
import java.awt.BorderLayout
import java.awt.FlowLayout
import java.awt.GraphicsEnvironment
import java.awt.event.WindowAdapter
import javax.swing.BorderFactory
import javax.swing.JButton
import javax.swing.JDialog
import javax.swing.JPanel
import javax.swing.JProgressBar
import javax.swing.JTextArea
import javax.swing.UIManager

class FirstUse {
    private final cellspan, making
    private final JProgressBar progress = new JProgressBar(stringPainted: true, string: " ")
    private final JButton goOn = new JButton("Install")
    private volatile boolean isCancelled
    private volatile Throwable fault // what ended the work
    private volatile Thread work
    private JDialog dialog

    FirstUse(cellspan, making) {
        this.cellspan = cellspan
        this.making = making
    }

    // Makes the engine, if the user agrees; else it ends the command.
    void ensure() {
        if (making.madeBefore()) {
            making.connect { IJ.showStatus("cellspan: connecting the engine...") }
            return
        }
        if (GraphicsEnvironment.headless || Interpreter.batchMode)
            cellspan.fail("The cellspan engine is not on this computer yet: start a command of Plugins > cellspan in Fiji's " +
                "window once, or in a terminal, run  pip install \"${making.wheel()}\"  and  cellspan install fiji --to FOLDER  " +
                "with the folder of this Fiji.")
        cellspan.onEventThread { show() }
        if (fault)
            throw fault
        if (!work)
            cellspan.cancel()
    }

    // Shows the dialog until it is closed.
    private void show() {
        def text = new JTextArea(making.question())
        text.editable = text.opaque = false
        text.font = UIManager.getFont("Label.font")
        def cancel = new JButton("Cancel")
        def buttons = new JPanel(new FlowLayout(FlowLayout.RIGHT))
        [cancel, goOn].each { buttons.add(it) }
        def south = new JPanel(new BorderLayout(0, 8))
        south.add(progress, BorderLayout.NORTH)
        south.add(buttons, BorderLayout.SOUTH)
        def content = new JPanel(new BorderLayout(0, 16))
        content.border = BorderFactory.createEmptyBorder(16, 16, 8, 16)
        content.add(text, BorderLayout.CENTER)
        content.add(south, BorderLayout.SOUTH)
        dialog = new JDialog(IJ.instance, "cellspan - first use", true)
        dialog.defaultCloseOperation = JDialog.DO_NOTHING_ON_CLOSE
        dialog.addWindowListener([windowClosing: { stop() }] as WindowAdapter)
        cancel.addActionListener { stop() }
        goOn.addActionListener { begin() }
        dialog.rootPane.defaultButton = goOn
        dialog.contentPane = content
        dialog.pack()
        dialog.setLocationRelativeTo(IJ.instance)
        dialog.visible = true
    }

    private void begin() {
        goOn.enabled = false
        progress.indeterminate = true
        work = Thread.startDaemon {
            try {
                making.connect { said ->
                    if (isCancelled)
                        cellspan.cancel()
                    cellspan.onEventThread { progress.string = said.take(80) }
                }
            } catch (Throwable thrown) {
                fault = thrown
            } finally {
                cellspan.onEventThread { dialog.dispose() }
            }
        }
    }

    private void stop() {
        isCancelled = true
        progress.string = "cancelling"
        if (!work)
            dialog.dispose()
    }
}

return FirstUse
