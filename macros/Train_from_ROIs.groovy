#@ ImagePlus imp
#@ String  (label="Name of the new model", description="By this name every program finds it", value="my cells", persist=false) name
#@ String  (label="Model to start from", description="A model of yours is in the list after Engine Status; a macro may name its folder", choices={"cyto", "nuclei"}, value="cyto", persist=false) model
#@ Double  (label="Minutes", description="Time for the training; 0 = only put the image into the folder below", min=0, value=10, persist=false) minutes
#@ Integer (label="Channel (0 = the one shown)", description="Channel to learn from, counted from 1; 0 of an RGB image = its brightness", min=0, value=0, persist=false) channel
#@ Integer (label="Nuclei channel (0 = none)", description="Channel that shows the nuclei and helps to find cells, counted from 1", min=0, value=0, persist=false) nuclei
#@ File    (label="Folder of corrected images", style="directory", required=false, description="This image and its outlines are added to it, and the model learns from all that are there; as it is, from this image alone", value="this image alone", persist=false) folder
#@ ScriptService scripts

// Plugins > cellspan > Train from ROIs: makes a model that finds cells as they were outlined in the ROI Manager.
//
// Every object of the image must be outlined, because what is not counts as background; of a stack, the planes with
// outlines are taken. Without outlines in the ROI Manager, those in the overlay of the image are taken.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Train from ROIs", "name=[my cells] model=cyto minutes=10");  or as the recorder writes it, with every
// setting: with windows, Fiji asks for those that are not given; without a display, they have their defaults.

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

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR cellspan's engine is not known here: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) { File temporary ->
    def kept = cellspan.chosen(folder, "this image alone")
    if (minutes == 0 && !kept)
        cellspan.fail("For 0 minutes there is nothing to do: give more, or a folder of corrected images.")
    def examples = kept ?: new File(temporary, "corrected")
    def planes = planesWithOutlines()
    planes.each { write(it.key[0], it.key[1], it.value, examples) }
    if (minutes > 0)
        train(examples, new File(temporary, "model"))
    else
        IJ.showStatus("cellspan: ${planes.size()} image(s) with outlines are in ${examples.path}")
}

void train(File examples, File result) {
    def last = "preparing"
    def words = ["train", examples.path, "--out", result.path, "--from", model, "--minutes", minutes.toString(),
                 "--register", name]
    def answer = cellspan.run(words, { line -> last = line.trim() ?: last }) { seconds ->
        IJ.showStatus("cellspan: training, ${(seconds / 60).round(1)} of ${minutes} minutes (Esc to cancel); ${last}")
        IJ.showProgress(Math.min(0.99, seconds / 60 / minutes as double))
    }
    cellspan.requireSuccess(answer)
    answer.errors.findAll { it.contains("AP@0.5 on ") }.each { cellspan.note(it.trim()) }
    cellspan.renewModels(scripts)
    cellspan.note("The model '${name}' is in the list of every program now; use it as  model=[${name}].")
    IJ.showStatus("cellspan: the model '${name}' is ready")
}

// ---- the corrected outlines

// Slice and frame, counted from 1, and the outlines there.
Map<List<Integer>, List<Roi>> planesWithOutlines() {
    def manager = GraphicsEnvironment.headless ? null : RoiManager.instance2
    def rois = (manager?.count ? manager.roisAsArray : imp.overlay?.toArray() ?: []) as List<Roi>
    if (!rois)
        cellspan.fail("There are no outlines in the ROI Manager: find cells with Segment Cells, and correct them.")
    return rois.groupBy { placeOf(it) }
}

List<Integer> placeOf(Roi roi) {
    if (imp.NSlices * imp.NFrames == 1)
        return [1, 1]
    def place = roi.hasHyperStackPosition() ? [roi.ZPosition, roi.TPosition]
        : roi.position ? imp.convertIndexToPosition(roi.position)[1, 2] : [0, 0]
    def (slice, frame) = [place[0] ?: (imp.NSlices == 1 ? 1 : 0), place[1] ?: (imp.NFrames == 1 ? 1 : 0)]
    if (!slice || !frame)
        cellspan.fail("The outline '${roi.name}' belongs to no plane of the stack: go to its plane, and press Update " +
            "in the ROI Manager.")
    if (slice > imp.NSlices || frame > imp.NFrames)
        cellspan.fail("The outline '${roi.name}' is on slice ${slice}, frame ${frame}, which the image has not.")
    return [slice, frame]
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
        cellspan.fail("The image cannot be written to ${examples}; is the disk full?")
    def part = new File(examples, stem + "_rois.zip.part")
    new ZipOutputStream(part.newOutputStream()).withCloseable { zip ->
        rois.eachWithIndex { roi, index ->
            zip.putNextEntry(new ZipEntry(String.format("%05d.roi", index + 1)))
            zip.write(RoiEncoder.saveAsByteArray(roi))
        }
    }
    Files.move(part.toPath(), new File(examples, stem + "_rois.zip").toPath(), StandardCopyOption.REPLACE_EXISTING)
}

// The same image takes its own place again; another one with the same title gets a number.
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
            cellspan.fail("An RGB image is learnt from by its brightness: leave both channels 0, or split them.")
        return [1]
    }
    if ([channel, nuclei].max() > imp.NChannels || [channel, nuclei].min() < 0)
        cellspan.fail("The image has ${imp.NChannels} channel(s), counted from 1.")
    return [channel ?: imp.C] + (nuclei ? [nuclei] : [])
}
