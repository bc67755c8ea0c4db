// Segment Cells on stacks, selections, image types and with every kind of result, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS FILE hyperstack.tif (2 channels, 3 slices, 2 frames; nuclei in channel 2)

import ij.IJ
import ij.ImageJ
import ij.ImagePlus
import ij.Macro
import ij.gui.OvalRoi
import ij.gui.Roi
import ij.measure.ResultsTable
import ij.plugin.Duplicator
import ij.plugin.frame.RoiManager
import java.awt.Color
import java.awt.EventQueue

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def manager = RoiManager.roiManager
def nuclei = [model: "nuclei", diameter: 26]

def rois = { manager.roisAsArray.toList() }
def reset = {
    EventQueue.invokeAndWait { manager.reset() }
    ResultsTable.resultsTable.reset()
    ij.WindowManager.getIDList().each { id -> def w = ij.WindowManager.getImage(id); if (w.title =~ /_(labels|map)$/) { w.changes = false; w.close() } }
}
def planesOf = { ImagePlus labels -> (1..labels.stackSize).collect { labels.imageStack.getPixels(it) } }
def same = { List a, List b -> a.size() == b.size() && [a, b].transpose().every { x, y -> Arrays.equals(x as short[], y as short[]) } }

def stack = IJ.openImage(args[1])
stack.show()
assert stack.hyperStack && [stack.NChannels, stack.NSlices, stack.NFrames] == [2, 3, 2]

// ---- planes

stack.setPosition(2, 3, 2)
fiji.ok(nuclei, "Segment_Cells", stack)
def plane = rois()
assert plane.size() > 2
assert plane.every { [it.CPosition, it.ZPosition, it.TPosition] == [0, 3, 2] }
assert plane*.name == (1..plane.size()).collect { String.format("0002-0003-%04d", it) }

// Again: appended to what is there.
fiji.ok(nuclei + [channel: 2, names: "number"], "Segment_Cells", stack)
assert rois().size() == 2 * plane.size()
assert rois().drop(plane.size())*.name == (1..plane.size()).collect { String.format("%04d", it) }
assert same(fiji.painted(rois().take(plane.size()), stack), fiji.painted(rois().drop(plane.size()), stack))

// Replaced.
fiji.ok(nuclei + [replace: true, channel: 2, planes: "every slice", overlay: true, label_image: true], "Segment_Cells", stack)
def slices = rois()
assert slices*.TPosition.unique() == [2] && slices*.ZPosition.unique() == [1, 2, 3]
assert slices.take(1)*.name == ["0002-0001-0001"]
def labels = fiji.window("cells_labels")
assert [labels.NChannels, labels.NSlices, labels.NFrames, labels.bitDepth] == [1, 3, 1, 16]
assert same(fiji.painted(slices, stack).drop(3), planesOf(labels))
assert stack.overlay.size() == slices.size()
assert same(fiji.painted(stack.overlay.toArray().toList(), stack), fiji.painted(slices, stack))
assert same(fiji.painted(plane, stack), fiji.painted(slices.findAll { it.ZPosition == 3 }, stack))
stack.overlay = null
reset()

fiji.ok(nuclei + [channel: 2, planes: "every frame", link_frames: true, label_image: true], "Segment_Cells", stack)
def frames = rois()
labels = fiji.window("cells_labels")
assert [labels.NSlices, labels.NFrames] == [1, 2] && labels.hyperStack == false
def (first, second) = [1, 2].collect { t -> frames.findAll { it.TPosition == t }*.name.collect { it.split("-").last() } }
assert first.intersect(second).size() > 2
assert frames*.ZPosition.unique() == [3]
reset()

fiji.ok(nuclei + [channel: 2, planes: "every plane", label_image: true, label_map: true, results_table: true, colours: true], "Segment_Cells", stack)
def all = rois()
labels = fiji.window("cells_labels")
assert [labels.NSlices, labels.NFrames, labels.hyperStack] == [3, 2, true]
assert same(fiji.painted(all, stack), planesOf(labels))
def map = fiji.window("cells_map")
assert map.bitDepth == 8
map.setPosition(1, 3, 2)
map.updateAndDraw()
def lut = map.getProcessor().lut
assert (0..255).collect { lut.getRGB(it) }.toSet().size() == 256 && (lut.getRGB(0) & 0xffffff) == 0
all.each { assert it.strokeColor == new Color(lut.getRGB(it.name.split("-").last() as int)) }
def table = ResultsTable.resultsTable
assert table.size() == all.size()
all.eachWithIndex { roi, row ->
    assert table.getLabel(row) == "cells.tif:" + roi.name
    assert [table.getValue("Slice", row), table.getValue("Frame", row)] == [roi.ZPosition, roi.TPosition]
    assert Math.abs(table.getValue("Area", row) - 0.25 * roi.containedPoints.size()) < 1e-6 // pixels of 0.5 units
}
reset()

// The slices of the frame that is shown as one volume, with the calibration's anisotropy, or joined.
stack.setPosition(2, 1, 2)
[0, 0.1].each { threshold ->
    fiji.ok(nuclei + [channel: 2, planes: "whole volume (3D)", stitch_threshold: threshold as double, label_image: true], "Segment_Cells", stack)
    labels = fiji.window("cells_labels")
    assert [labels.NSlices, labels.NFrames] == [3, 1]
    assert rois().every { it.TPosition == 2 }
    assert same(fiji.painted(rois(), stack).drop(3), planesOf(labels))
    reset()
}

// The volumes of all frames, each with its own objects, or with the same ones.
fiji.ok(nuclei + [channel: 2, planes: "every volume (3D)", label_image: true, groups: true], "Segment_Cells", stack)
def volumes = rois()
labels = fiji.window("cells_labels")
assert [labels.NSlices, labels.NFrames] == [3, 2]
assert volumes*.TPosition.unique() == [1, 2]
assert same(fiji.painted(volumes, stack), planesOf(labels))
volumes.each { assert it.group == it.name.split("-").last() as int } // so an object can be selected in all its slices
def objects = volumes.collect { [it.TPosition, it.group] }.toSet().size()
assert objects < volumes.size() && fiji.statusBar() == "cellspan: ${objects} objects"
assert !(IJ.log ?: "").contains("LUT") // ImageJ has the colours of groups
reset()
fiji.ok(nuclei + [channel: 2, planes: "every volume (3D)", link_frames: true], "Segment_Cells", stack)
assert fiji.statusBar() == "cellspan: ${rois().collect { it.name.split("-").last() }.toSet().size()} objects"
reset()

// The nuclei's channel may be before that of the cells; here it is empty, so that it changes nothing.
stack.setPosition(2, 3, 2)
fiji.ok(nuclei + [channel: 2, nuclei: 1], "Segment_Cells", stack)
assert same(fiji.painted(rois(), stack), fiji.painted(plane, stack))
reset()

// Many slices: each plane has one disk, at a place of its own.
def disks = IJ.createHyperStack("disks", 160, 40, 1, 33, 2, 8)
def placeOf = { z, t -> 4 + 3 * z + 6 * t }
disks.stackSize.times { index ->
    def (c, z, t) = disks.convertIndexToPosition(index + 1)
    def pixels = disks.imageStack.getProcessor(index + 1)
    pixels.setValue(200)
    pixels.fill(new OvalRoi(placeOf(z, t), 10, 16, 16))
}
disks.show()
fiji.ok(nuclei + [diameter: 16, planes: "every plane"], "Segment_Cells", disks)
assert rois().size() == 66
rois().each { assert Math.abs(it.bounds.x - placeOf(it.ZPosition, it.TPosition)) < 3 }
disks.changes = false
disks.close()
reset()

// ---- selections

stack.setPosition(2, 1, 1)
def box = new Roi(31, 17, 60, 70)
stack.roi = box
fiji.ok(nuclei + [label_image: true], "Segment_Cells", stack)
def inside = rois()
assert same(fiji.painted(inside, stack).take(1), planesOf(fiji.window("cells_labels")))
def cut = new Duplicator().run(stack, 2, 2, 1, 1, 1, 1)
reset()
cut.killRoi()
fiji.ok(nuclei, "Segment_Cells", cut)
assert [cut.width, cut.height] == [60, 70]
assert rois()*.bounds.collect { [it.x + 31, it.y + 17, it.width, it.height] } == inside*.bounds.collect { [it.x, it.y, it.width, it.height] }
assert stack.roi == box
reset()

def oval = new OvalRoi(-20, 10, 110, 90) // partly outside the image
stack.roi = oval
fiji.ok(nuclei + [label_image: true], "Segment_Cells", stack)
def round = rois()
def boxed = fiji.window("cells_labels")
assert round.size() > 0 && round.size() < plane.size() + 10
round.each { assert oval.contains(it.statistics.xCentroid as int, it.statistics.yCentroid as int) }
assert same(fiji.painted(round, stack).take(1), planesOf(boxed))
stack.killRoi()
reset()

// ---- kinds of images

def single = new Duplicator().run(stack, 2, 2, 1, 1, 1, 1)
single.show()
fiji.ok(nuclei, "Segment_Cells", single)
def expected = rois()
assert expected*.name == (1..expected.size()).collect { String.format("%04d", it) }
assert expected.every { !it.hasHyperStackPosition() && it.position == 0 }
reset()
def converted = { String type ->
    def other = single.duplicate()
    other.resetDisplayRange()
    IJ.run(other, type, "")
    fiji.ok(nuclei, "Segment_Cells", other)
    def found = rois()
    reset()
    found
}
assert same(fiji.painted(converted("32-bit"), single), fiji.painted(expected, single))
["8-bit", "RGB Color"].each { assert Math.abs(converted(it).size() - expected.size()) < 2 }
def grey = converted("8-bit")
def coloured = single.duplicate()
coloured.resetDisplayRange()
IJ.run(coloured, "8-bit", "")
IJ.run(coloured, "Green", "")
fiji.ok(nuclei, "Segment_Cells", new ImagePlus("green", coloured.getProcessor()))
assert same(fiji.painted(rois(), single), fiji.painted(grey, single))
reset()

// A plain stack has positions of another kind.
def plain = new Duplicator().run(stack, 2, 2, 1, 3, 1, 1)
plain.show()
assert !plain.hyperStack
fiji.ok(nuclei + [planes: "every slice", label_image: true], "Segment_Cells", plain)
assert rois()*.position.unique() == [1, 2, 3]
assert rois().last().name.startsWith("0003-")
assert same(fiji.painted(rois(), plain), planesOf(fiji.window(plain.title.replace(".tif", "") + "_labels")))
reset()

// Outlines of an image with channels belong to all channels.
def both = new Duplicator().run(stack, 1, 2, 1, 1, 1, 1)
both.show()
both.setC(1)
fiji.ok(nuclei + [channel: 2], "Segment_Cells", both)
assert rois().size() > 2 && rois().every { it.position == 0 && !it.hasHyperStackPosition() }
both.changes = false
both.close()
reset()

// Grey values that stand for others are no labels that stand for others.
def signed = single.duplicate()
signed.calibration.setSigned16BitCalibration()
signed.title = "signed"
fiji.ok(nuclei + [label_image: true], "Segment_Cells", signed)
assert fiji.window("signed_labels").calibration.with { [getCValue(7), pixelWidth] } == [7, 0.5]
reset()

// ---- mistakes, each with one message, and nothing else

def refused = { Map settings, ImagePlus image ->
    fiji.messages.clear()
    fiji.run(nuclei + settings, "Segment_Cells", image)
    assert rois() == []
    assert fiji.messages.size() == 1
    fiji.messages[0]
}
assert refused(channel: 5, stack) == "channel = 5, but the image has 2 channel(s), counted from 1."
assert refused(nuclei: -1, stack) == "nuclei = '-1' is not possible: the smallest possible is 0."
assert refused(planes: "every frame", plain).startsWith("The image has one frame and 3 slices: choose 'every slice'")
assert refused(planes: "whole volume (3D)", single).startsWith("The image has only one slice, so it is not a volume")
assert refused(roi_manager: false, single).startsWith("Choose at least one result")
assert refused(model: "none such", single).startsWith("There is no model 'none such'")
// What Fiji would leave out of a macro's options in silence.
def withOptions = { String options ->
    def macro = new Thread({ Macro.options = options; fiji.run(nuclei, "Segment_Cells", single); Macro.options = null }, 'Run$_macro')
    fiji.messages.clear()
    macro.start()
    macro.join()
    fiji.messages[0]
}
assert withOptions("diamter=30 model=[my = model] ").startsWith("There is no setting 'diamter'")
assert withOptions("model=nuclei colours ") == "The setting 'colours' needs a value: write colours=true."
assert rois() == []

single.roi = new Roi(500, 500, 9, 9)
assert refused([:], single).startsWith("The selection is outside the image")
println "done"
System.exit(0)
