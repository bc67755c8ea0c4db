// Hands what was found to ImageJ: ROI Manager, overlay, label image, label map, table and restored image, by the keys of Segment Cells and
// of Segment Cells with Nuclei.
//
// `cellspan install fiji` puts this file into plugins/cellspan.

import ij.ImagePlus
import ij.ImageStack
import ij.WindowManager
import ij.gui.Overlay
import ij.gui.Roi
import ij.measure.ResultsTable
import ij.plugin.ChannelSplitter
import ij.plugin.frame.RoiManager
import ij.process.ByteProcessor
import java.awt.Color
import java.awt.GraphicsEnvironment

class Results {
    private final cellspan
    private final ImagePlus imp
    private final Map settings

    Results(cellspan, ImagePlus image, Map settings) {
        this.cellspan = cellspan
        imp = image
        this.settings = settings
    }

    // Before the work, not after it.
    static void requireAny(cellspan, Map settings) {
        if (!["roi_manager", "overlay", "label_image", "label_map", "results_table", "restored_image"].any { settings[it] })
            cellspan.fail("Choose at least one result: ROI Manager, overlay, label image, label map or results table.")
        if (settings.restored_image && settings.restore == "none")
            cellspan.fail(cellspan.NOTHING_RESTORED)
    }

    boolean needLabels() {
        return settings.label_image || settings.label_map
    }

    void hand(segmented) {
        def (found, part) = [segmented.found, segmented.part]
        if (settings.groups) // ImageJ has 255 groups, each with a colour
            found.each { it.roi.group = 1 + (it.label - 1) % 255 }
        def palette = cellspan.shared("colours")
        if (settings.colours)
            found.each { it.roi.strokeColor = palette.of(it.label) }
        else
            found.findAll { it.kind == "nucleus" }.each { it.roi.strokeColor = Color.CYAN }
        if (settings.results_table && segmented.paired)
            measurePairs(found)
        else if (settings.results_table)
            measure(found)
        if (settings.overlay || (settings.roi_manager && GraphicsEnvironment.headless))
            addToOverlay(found*.roi)
        if (settings.roi_manager && !GraphicsEnvironment.headless)
            cellspan.onEventThread { addToManager(found*.roi) }
        if (segmented.labels)
            showLabels(segmented.labels, part)
        if (segmented.restored)
            showRestored(segmented.restored, part)
    }

    // Outlines that the user has in the ROI Manager stay there. In batch mode, this is the macro's own manager.
    private void addToManager(List<Roi> rois) {
        if (!rois && !RoiManager.instance2)
            return
        def manager = RoiManager.instance2 ?: RoiManager.roiManager
        if (settings.replace)
            manager.reset()
        rois.each { roi ->
            def name = roi.name
            manager.addRoi(roi)
            // ImageJ takes names such as 0003-0001 for coordinates and replaces them.
            if (name.contains("-"))
                manager.rename(manager.count - 1, name)
            // It also binds outlines to the channel that is shown; ours belong to all channels.
            if (imp.NSlices * imp.NFrames == 1)
                manager.getRoi(manager.count - 1).setPosition(0)
        }
        if (rois) {
            def active = WindowManager.currentImage
            def selection = active?.roi
            manager.runCommand("show all") // removes it
            if (selection)
                active.roi = selection
        }
    }

    private void addToOverlay(List<Roi> rois) {
        def shown = (settings.replace ? null : imp.overlay) ?: new Overlay()
        rois.each { shown.add(it.clone()) }
        imp.overlay = shown
    }

    private void measure(List found) {
        def table = ResultsTable.resultsTable
        if (settings.replace)
            table.reset()
        def measuring = cellspan.shared("measuring")
        measuring.newInstance(imp).addTo(table, found.collect {
            [roi: it.roi, object: it.label] + (settings.link_frames ? [parent: it.parent] : [:]) +
                [slice: it.slice, frame: it.frame]
        })
        measuring.show(table, "Results")
    }

    // The table Cells: a row for each cell of a plane, with the columns of its parts.
    private void measurePairs(List found) {
        def table = (settings.replace ? null : ResultsTable.getResultsTable("Cells")) ?: new ResultsTable()
        table.NaNEmptyCells = true // a cell that is all nucleus has no cytoplasm
        def kinds = cellspan.shared("measuring")
        def measuring = kinds.newInstance(imp)
        found.groupBy { [it.frame, it.slice, it.label] }.each { place, parts ->
            def columns = [Cell: parts[0].label, Slice: parts[0].slice, Frame: parts[0].frame]
            parts.each { part ->
                measuring.of(part.roi, part.slice, part.frame).each { name, value ->
                    columns["${part.kind.capitalize()}_${name}".toString()] = value
                }
            }
            measuring.addRow(table, parts[0].roi.name.replaceFirst(/^\w+?-/, ""), columns)
        }
        kinds.show(table, "Cells")
    }

    // The engine's labels cover the box; the label image is as large as the user's image.
    private void showLabels(ImagePlus cut, Map part) {
        def name = imp.title.replaceFirst(/\.\w{3,4}$/, "")
        if (cut.NChannels > 1)
            [ChannelSplitter.split(cut), ["cells", "nuclei", "cytoplasm"]].transpose().each { labels, kind ->
                show("${name}_${kind}", labels, part) { it }
            }
        else if (settings.label_image)
            show(name + "_labels", cut, part) { it }
        if (settings.label_map) {
            def palette = cellspan.shared("colours")
            show(name + "_map", cut, part) { plane ->
                def indexed = new ByteProcessor(plane.width, plane.height)
                (0..<plane.pixelCount).each { indexed.set(it, palette.index(plane.getf(it) as int)) }
                indexed
            }
        }
    }

    // The part that was segmented, as the network saw it; of coarse pixels, it may be larger.
    private void showRestored(ImagePlus restored, Map part) {
        restored.title = imp.title.replaceFirst(/\.\w{3,4}$/, "") + "_restored"
        restored.calibration = imp.calibration.copy()
        restored.calibration.disableDensityCalibration()
        restored.calibration.pixelWidth *= part.width / (double) restored.width
        restored.calibration.pixelHeight *= part.height / (double) restored.height
        restored.resetDisplayRange()
        restored.show()
    }

    private void show(String title, ImagePlus cut, Map part, Closure kind) {
        def stack = new ImageStack(imp.width, imp.height)
        (1..cut.stackSize).each {
            def plane = kind(cut.imageStack.getProcessor(it))
            def whole = plane.createProcessor(imp.width, imp.height)
            whole.color = Color.BLACK
            whole.setValue(0)
            whole.fill()
            whole.insert(plane, part.x, part.y)
            stack.addSlice(whole)
        }
        def result = new ImagePlus(title, stack)
        result.setDimensions(1, part.slices.size(), part.frames.size())
        result.openAsHyperStack = part.frames.size() > 1
        result.calibration = imp.calibration.copy()
        result.calibration.disableDensityCalibration() // calibrated grey values make no sense for labels
        result.lut = cellspan.shared("colours").lut()
        def largest = (1..stack.size()).collect { stack.getProcessor(it).statistics.max }.max()
        result.setDisplayRange(0, Math.max(255, largest)) // up to 255 objects, a colour for each
        result.show()
    }
}

return Results
