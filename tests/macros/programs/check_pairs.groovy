// Segment Cells with Nuclei in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS_FILE both.tif (cells and nuclei; pixels of 0.5 units) pairs.tif (what the engine pairs in it)

import ij.IJ
import ij.ImageJ
import ij.gui.Roi
import ij.measure.ResultsTable
import ij.plugin.frame.RoiManager
import java.awt.Color

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def manager = RoiManager.roiManager
def image = IJ.openImage(args[1])
image.show()
def expected = IJ.openImage(args[2]) // channels: cells, nuclei, cytoplasm
def settings = [diameter: 60, nuclei_size: 22]
def of = { String kind -> manager.roisAsArray.findAll { it.name.startsWith(kind + "-") }.toList() }

fiji.ok(settings + [channel: 1, nuclei: 2, label_image: true, results_table: true], "Segment_Cells_with_Nuclei", image)
def count = expected.imageStack.getProcessor(1).statistics.max as int
assert count > 4 && fiji.statusBar() == "cellspan: ${count} cells"
assert manager.roisAsArray*.name == (1..count).collectMany { k -> ["cell", "cytoplasm", "nucleus"].collect { String.format("%s-%04d", it, k) } }
[cell: "cells", nucleus: "nuclei", cytoplasm: "cytoplasm"].eachWithIndex { kind, title, channel ->
    def labels = expected.imageStack.getPixels(channel + 1)
    assert Arrays.equals(fiji.painted(of(kind), image)[0] as short[], labels as short[])
    assert Arrays.equals(fiji.window("both_" + title).getProcessor().pixels as short[], labels as short[])
}
assert of("nucleus").every { it.strokeColor == Color.CYAN } && of("cell").every { it.strokeColor == null }

// One row for each cell, with the measurements of its parts.
def table = ResultsTable.getResultsTable("Cells")
assert table.size() == count && table.getColumn("Cell").toList() == (1..count)*.doubleValue()
assert table.getLabel(0) == "both.tif:0001"
["Cell", "Nucleus", "Cytoplasm"].each { part ->
    of(part.toLowerCase()).eachWithIndex { roi, row ->
        def points = roi.containedPoints
        assert Math.abs(table.getValue(part + "_Area", row) - 0.25 * points.size()) < 1e-6
        [1, 2].each { c ->
            def plane = image.imageStack.getProcessor(c)
            assert Math.abs(table.getValue("${part}_Mean_C${c}", row) - points.collect { plane.get(it.x as int, it.y as int) }.sum() / points.size()) < 1e-6
        }
    }
}

// The channel of the nuclei is the other one of two; a cell and its parts are one group; a selection.
image.setC(1)
fiji.ok(settings + [groups: true, colours: true, replace: true], "Segment_Cells_with_Nuclei", image)
assert manager.count == 3 * count
manager.roisAsArray.each { assert it.group == it.name.split("-")[1] as int && it.strokeColor != null }
def all = of("cell")
image.roi = new Roi(0, 0, 112, 240)
fiji.ok(settings + [channel: 1, nuclei: 2, replace: true], "Segment_Cells_with_Nuclei", image)
def part = of("cell")
assert part && part.every { it.bounds.maxX <= 112 }
image.killRoi()
fiji.ok(settings + [channel: 1, nuclei: 2, replace: true, multinucleate: "discard"], "Segment_Cells_with_Nuclei", image)
assert of("cell").size() == count - 2

def refused = { Map more, which ->
    fiji.messages.clear()
    fiji.run(settings + more, "Segment_Cells_with_Nuclei", which)
    assert fiji.messages.size() == 1
    fiji.messages[0]
}
assert refused([channel: 2, nuclei: 2], image) == "Channel 2 cannot show both cells and nuclei: choose two channels."
def three = IJ.createHyperStack("three", 60, 40, 3, 1, 1, 8)
assert refused([:], three) == "Choose the channel of the nuclei; the image has 3 channel(s)."
assert refused([multinucleate: "merge"], image).startsWith("multinucleate = 'merge' is not possible; choose one of".replace(";", ":"))
println "done"
System.exit(0)
