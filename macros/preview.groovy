// Preview in a dialog: the outlines of the current plane follow the settings while they are changed. The network runs once for
// a plane, a model, a diameter and channels; other thresholds take no time (fiji_bridge/recent.py).
//
// The outlines are an overlay, which lasts as long as the preview; then the image has its own overlay again.
// `cellspan install fiji` puts this file into plugins/cellspan.

import ij.IJ
import ij.ImagePlus
import ij.gui.Overlay
import java.awt.Color
import java.awt.event.ActionListener
import java.util.concurrent.Executors
import javax.swing.JCheckBox
import javax.swing.JLabel
import javax.swing.SwingUtilities
import javax.swing.Timer

class Preview {
    private static final int PAUSE = 300 // ms without a change, before anything is done
    final JCheckBox box = new JCheckBox("Preview")
    final JLabel answer = new JLabel(" ")
    private final cellspan
    private final ImagePlus image
    private final Closure values
    private Overlay own, ofManager // those of the image, and the outlines that the ROI Manager shows on it
    private final worker = Executors.newSingleThreadExecutor { new Thread(it, "cellspan preview").with { daemon = true; it } }
    private final Timer watch
    private boolean isChanged, isBusy
    private List seen // the plane and the selection of the last preview

    Preview(cellspan, ImagePlus image, Closure values) {
        this.cellspan = cellspan
        this.image = image
        this.values = values
        box.toolTipText = "Shows the outlines in the current plane, and how they follow the settings"
        box.addActionListener { box.selected ? begin() : hide() }
        watch = new Timer(PAUSE, { look() } as ActionListener)
        watch.start()
    }

    void changed() {
        isChanged = true
        watch.restart()
    }

    void close() {
        watch.stop()
        worker.shutdown()
        if (box.selected)
            hide()
        box.selected = false
    }

    private void begin() {
        own = image.overlay
        ofManager = image.canvas?.showAllList
        changed()
    }

    private void hide() {
        answer.text = " "
        seen = null
        image.canvas?.showAllList = ofManager
        image.overlay = own
    }

    // After changes, and when the person has gone to another plane or has selected something else.
    private void look() {
        if (!box.selected || isBusy || !image.processor)
            return
        def now = [image.C, image.Z, image.T, image.roi?.hashCode(), image.roi?.bounds]
        if (!isChanged && now == seen)
            return
        isChanged = false
        isBusy = true
        seen = now
        def settings
        try {
            settings = values() + [planes: "current plane", link_frames: false, restored_image: false]
        } catch (IllegalArgumentException wrong) {
            show(null, wrong.message)
            return
        }
        answer.text = "looking for cells..."
        worker.execute {
            try {
                def segmented = cellspan.segment(image, settings + [preview: true])
                SwingUtilities.invokeLater { show(segmented.found, "${segmented.count} objects in this plane") }
            } catch (Throwable problem) {
                SwingUtilities.invokeLater { show(null, problem.message ?: "cancelled") }
            }
        }
    }

    private void show(List found, String text) {
        isBusy = false
        if (!box.selected)
            return
        if (found != null)
            draw(found)
        answer.text = text.size() > 60 ? text.take(57) + "..." : text
        answer.toolTipText = text
        IJ.showStatus("cellspan: " + text) // instead of the progress
    }

    private void draw(List found) {
        def overlay = new Overlay()
        found.findAll { it.kind != "cytoplasm" }.each {
            it.roi.strokeColor = it.kind == "nucleus" ? Color.MAGENTA : Color.CYAN
            overlay.add(it.roi)
        }
        overlay.drawLabels(false)
        image.canvas?.showAllList = null
        image.overlay = overlay
    }
}

return Preview
