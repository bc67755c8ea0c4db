// Segment Cells restores an image first and shows what the network saw, in ImageJ with its windows.
//
// Arguments: FOLDER_OF_THIS FILE hyperstack.tif (2 channels, 3 slices, 2 frames; nuclei in channel 2)

import ij.IJ
import ij.ImageJ
import ij.gui.Roi

def fiji = new GroovyShell(getClass().classLoader).evaluate(new File(args[0], "fiji.groovy"))
new ImageJ(ImageJ.NO_SHOW)
fiji.answerBoxes()
def stack = IJ.openImage(args[1])
stack.show()
stack.setPosition(2, 3, 2)
def settings = [model: "nuclei", diameter: 26, restore: "denoise_cyto3", restored_image: true, roi_manager: false]

fiji.ok(settings, "Segment_Cells", stack)
def seen = fiji.window("cells_restored")
assert [seen.width, seen.height, seen.stackSize, seen.bitDepth] == [150, 120, 1, 32]
assert [seen.calibration.pixelWidth, seen.calibration.unit] == [0.5d, stack.calibration.unit]
assert seen.statistics.stdDev > 0
seen.close()

// Every slice, of a part of the image
stack.roi = new Roi(20, 30, 90, 70)
fiji.ok(settings + [channel: 2, planes: "every slice"], "Segment_Cells", stack)
seen = fiji.window("cells_restored")
assert [seen.width, seen.height, seen.NChannels, seen.NSlices] == [90, 70, 1, 3]
seen.close()

// Coarse pixels: the image is larger, and its pixels smaller
fiji.ok(settings + [restore: "upsample_cyto3", diameter: 15], "Segment_Cells", stack)
seen = fiji.window("cells_restored")
assert [seen.width, seen.height] == [180, 140]
assert seen.calibration.pixelWidth == 0.25d
seen.close()
stack.deleteRoi()

// Cells with nuclei: both channels
def pairs = settings + [model: "cyto", channel: 1, nuclei: 2]
fiji.ok(pairs, "Segment_Cells_with_Nuclei", stack)
seen = fiji.window("cells_restored")
assert [seen.NChannels, seen.width, seen.height] == [2, 150, 120]
seen.close()

// Without restoring there is nothing to show; a model that is not here, or finds objects, is named
def told = { Map changes ->
    fiji.messages.clear()
    fiji.run(settings + changes, "Segment_Cells", stack)
    assert fiji.messages.size() == 1
    fiji.messages[0].replaceAll(/\s+/, " ")
}
assert told(restore: "none").contains("There is a restored image only if the image is restored first")
assert told(restore: "deblur_cyto3").contains("cellspan models fetch deblur_cyto3")
assert told(restore: "nuclei").contains("restores no images")

// The lists: what restores is not offered as a model, and each has its kind and size
def cellspan = IJ.getProperty("cellspan")
assert cellspan.models() == ["cyto", "nuclei"]
assert cellspan.modelsInWords().cyto == "cyto - cells and nuclei; convolutional network (Cellpose 1 to 3), 3.4 MB"
assert cellspan.modelsInWords(true).keySet() as List == ["denoise_cyto3", "denoise_nuclei", "upsample_cyto3"]
println "done"
System.exit(0)
