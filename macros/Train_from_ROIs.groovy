#@ ImagePlus imp
#@ String  (label="Name of the new model", description="Every program lists the model under this name", value="my cells", persist=false) name
#@ String  (label="Model to start from", description="Show Engine Status lists models that you added; a macro may also give the folder of a model", choices={"cyto", "nuclei"}, value="cyto", persist=false) model
#@ Double  (label="Minutes", description="Training time; 0 = only add the image to the folder below", min=0, value=10, persist=false) minutes
#@ Integer (label="Channel (0 = the one shown)", description="Channel to learn from, counted from 1; 0 = the one shown, or the brightness of an RGB image", min=0, value=0, persist=false) channel
#@ Integer (label="Nuclei channel (0 = none)", description="Channel with the nuclei, which helps to find cells, counted from 1", min=0, value=0, persist=false) nuclei
#@ File    (label="Folder of corrected images", style="directory", required=false, description="This image and its outlines are added to the folder, and the model learns from all images in it; leave it as it is to learn from this image alone", value="this image alone", persist=false) folder

// Plugins > cellspan > Train from ROIs: trains a model on the outlines in the ROI Manager.
//
// Outline every object in the image, because everything else counts as background. In a stack, the planes with outlines
// are used. If the ROI Manager is empty, the outlines in the image's overlay are used.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Train from ROIs", "name=[my cells] model=cyto minutes=10");  or as the recorder writes it, with every
// setting: with windows, Fiji asks for missing ones; without a display, missing ones have their defaults.

import ij.IJ
import ij.ImagePlus
import ij.ImageStack
import ij.gui.Roi
import ij.io.FileSaver
import ij.io.RoiEncoder
import ij.plugin.frame.RoiManager
import java.awt.GraphicsEnvironment
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy.txt")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR The cellspan engine was not found: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = IJ.getProperty("cellspan")
if (cellspan?.made != shared.lastModified())
    cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) { File temporary ->
    def kept = cellspan.chosen(folder, "this image alone")
    if (minutes == 0 && !kept)
        cellspan.fail("With 0 minutes there is nothing to do: give more minutes, or a folder of corrected images.")
    def examples = kept ?: new File(temporary, "corrected")
    def planes = planesWithOutlines()
    planes.each { write(it.key[0], it.key[1], it.value, examples) }
    if (minutes > 0)
        train(examples, new File(temporary, "model"))
    else
        cellspan.done("${planes.size()} image(s) with outlines are in ${examples.path}")
}

void train(File examples, File result) {
    def words = ["train", examples.path, "--out", result.path, "--from", model, "--minutes", minutes.toString(),
                 "--register", name]
    def answer = cellspan.run(words, {}) { seconds ->
        // Short, because the progress bar shares the line.
        IJ.showStatus("cellspan: training, ${(seconds / 60).round(1)} of ${minutes} min (Esc to cancel)")
        IJ.showProgress(Math.min(0.99, seconds / 60 / minutes as double))
    }
    cellspan.requireSuccess(answer)
    answer.errors.findAll { it.startsWith("NOTE ") }.each { cellspan.note(it - "NOTE ") }
    cellspan.renewModels()
    cellspan.note("The model '${name}' is now available in every program; in macros, write  model=[${name}].")
    cellspan.done("the model '${name}' is ready")
}

// ---- the corrected outlines

// The outlines of each slice and frame, [slice, frame], counted from 1.
Map<List<Integer>, List<Roi>> planesWithOutlines() {
    def manager = GraphicsEnvironment.headless ? null : RoiManager.instance2
    def rois = (manager?.count ? manager.roisAsArray : imp.overlay?.toArray() ?: []) as List<Roi>
    if (!rois)
        cellspan.fail("There are no outlines in the ROI Manager: find cells with Segment Cells, then correct the outlines.")
    def stack = cellspan.shared("places").of(imp)
    return rois.groupBy { roi ->
        def (slice, frame) = stack.placeOf(roi)
        if (!slice || !frame)
            cellspan.fail("The outline '${roi.name}' belongs to no plane of the stack: go to its plane, and press " +
                "Update in the ROI Manager.")
        if (slice > imp.NSlices || frame > imp.NFrames)
            cellspan.fail("The outline '${roi.name}' is on slice ${slice} and frame ${frame}, but the image has " +
                "${imp.NSlices} slice(s) and ${imp.NFrames} frame(s).")
        return [slice, frame]
    }
}

// As `cellspan train` reads it: IMAGE.tif and IMAGE_rois.zip; of two channels, the second shows the nuclei.
void write(int slice, int frame, List<Roi> rois, File examples) {
    def place = (imp.NFrames > 1 ? [String.format("t%04d", frame)] : []) +
        (imp.NSlices > 1 ? [String.format("z%04d", slice)] : [])
    def title = imp.title.replaceFirst(/(?i)\.(tiff?|png|jpe?g|gif|bmp|zip|lsm|czi|nd2|lif|vsi|dv|stk)$/, "")
    if (!examples.isDirectory() && !examples.mkdirs())
        cellspan.fail("${examples}: the folder cannot be made.")
    def stack = new ImageStack(imp.width, imp.height)
    channelsToLearnFrom().each { stack.addSlice(imp.imageStack.getProcessor(imp.getStackIndex(it, slice, frame))) }
    def stem = freeStem(examples, ([title.replaceAll(/(?U)[^\w.-]+/, "_")] + place).join("_"), stack)
    def picture = new ImagePlus(stem, stack)
    picture.setDimensions(stack.size(), 1, 1)
    if (!new FileSaver(picture).saveAsTiff(new File(examples, stem + ".tif").path))
        cellspan.fail("The image could not be written to ${examples}; is the disk full?")
    def part = new File(examples, stem + "_rois.zip.part")
    new ZipOutputStream(part.newOutputStream()).withCloseable { zip ->
        rois.eachWithIndex { roi, index ->
            zip.putNextEntry(new ZipEntry(String.format("%05d.roi", index + 1)))
            zip.write(RoiEncoder.saveAsByteArray(roi))
        }
    }
    Files.move(part.toPath(), new File(examples, stem + "_rois.zip").toPath(), StandardCopyOption.REPLACE_EXISTING)
}

// The same image replaces its earlier copy; another image with the same title gets a number.
String freeStem(File examples, String stem, ImageStack stack) {
    for (number in 1..9999) {
        def name = number == 1 ? stem : "${stem}_${number}".toString()
        def file = new File(examples, name + ".tif")
        if (!file.exists() || samePixels(IJ.openImage(file.path)?.imageStack, stack))
            return name
    }
}

boolean samePixels(ImageStack one, ImageStack other) {
    return one?.size() == other.size() &&
        (1..one.size()).every { Objects.deepEquals(one.getPixels(it), other.getPixels(it)) }
}

List<Integer> channelsToLearnFrom() {
    if (imp.type == ImagePlus.COLOR_RGB) {
        if (channel || nuclei)
            cellspan.fail("Training uses the brightness of an RGB image: leave both channels at 0, or split the channels first.")
        return [1]
    }
    if ([channel, nuclei].max() > imp.NChannels || [channel, nuclei].min() < 0)
        cellspan.fail("The image has ${imp.NChannels} channel(s), counted from 1.")
    return [channel ?: imp.C] + (nuclei ? [nuclei] : [])
}
