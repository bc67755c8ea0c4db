#@ ImagePlus imp
#@ CharSequence (part="Model", label="Name of the new model", description="Every program lists the model under this name", kind="text", value="my cells", persist=false, required=false) name
#@ CharSequence (part="Model", label="Model to start from", description="Show Engine Status lists models that you added; a macro may also give the folder of a model", kind="model", value="cyto", persist=false, required=false) model
#@ CharSequence (part="Model", label="Minutes", description="Training time; 0 = only add the image to the folder below", kind="number", min=0, value="10", persist=false, required=false) minutes
#@ CharSequence (part="Image", label="Channel", description="Channel to learn from, counted from 1; 0 = the one shown, or the brightness of an RGB image", kind="channel", min=0, needs="channels", value="0", persist=false, required=false) channel
#@ CharSequence (part="Image", label="Nuclei channel", description="Channel with the nuclei, which helps to find cells, counted from 1; 0 = none", kind="channel", zero="none", min=0, needs="channels", value="0", persist=false, required=false) nuclei
#@ CharSequence (part="Image", label="Folder of corrected images", description="This image and its outlines are added to the folder, and the model learns from all images in it; leave it as it is to learn from this image alone", kind="folder", none="this image alone", value="this image alone", persist=false, required=false) folder

// Plugins > cellspan > Train from ROIs: trains a model on the outlines in the ROI Manager.
//
// Outline every object in the image, because everything else counts as background. In a stack, the planes with outlines
// are used. If the ROI Manager is empty, the outlines in the image's overlay are used.
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Train from ROIs", "name=[my cells] model=cyto minutes=10");  missing settings have their defaults.

import ij.IJ
import ij.ImagePlus
import ij.ImageStack
import ij.gui.Roi
import ij.io.FileSaver
import ij.io.RoiEncoder
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
    def planes = planesWithOutlines()
    def settings = cellspan.settings(this, imp) {
        if (it.minutes == 0 && it.folder == null)
            cellspan.fail("With 0 minutes there is nothing to do: give more minutes, or a folder of corrected images.")
        channelsToLearnFrom(it)
    }
    def examples = settings.folder != null ? settings.folder : new File(temporary, "corrected")
    planes.each { write(it.key[0], it.key[1], it.value, examples, channelsToLearnFrom(settings)) }
    if (settings.minutes > 0)
        train(settings, examples, new File(temporary, "model"))
    else
        cellspan.done("${planes.size()} image(s) with outlines are in ${examples.path}")
}

void train(Map settings, File examples, File result) {
    def (name, minutes) = [settings.name, settings.minutes]
    def words = ["train", examples.path, "--out", result.path, "--from", settings.model, "--minutes", minutes.toString(),
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
    def outlines = cellspan.shared("outlines").newInstance(cellspan, imp)
    return outlines.all(false, "find cells with Segment Cells, then correct the outlines.")
        .groupBy { [it.slice, it.frame] }.collectEntries { plane, own -> [plane, own*.roi] }
}

// As `cellspan train` reads it: IMAGE.tif and IMAGE_rois.zip; of two channels, the second shows the nuclei.
void write(int slice, int frame, List<Roi> rois, File examples, List<Integer> channels) {
    def place = (imp.NFrames > 1 ? [String.format("t%04d", frame)] : []) +
        (imp.NSlices > 1 ? [String.format("z%04d", slice)] : [])
    def title = imp.title.replaceFirst(/(?i)\.(tiff?|png|jpe?g|gif|bmp|zip|lsm|czi|nd2|lif|vsi|dv|stk)$/, "")
    if (!examples.isDirectory() && !examples.mkdirs())
        cellspan.fail("${examples}: the folder cannot be made.")
    def stack = new ImageStack(imp.width, imp.height)
    channels.each { stack.addSlice(imp.imageStack.getProcessor(imp.getStackIndex(it, slice, frame))) }
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

List<Integer> channelsToLearnFrom(Map settings) {
    def (channel, nuclei) = [settings.channel, settings.nuclei]
    if (imp.type == ImagePlus.COLOR_RGB) {
        if (channel || nuclei)
            cellspan.fail("Training uses the brightness of an RGB image: leave both channels at 0, or split the channels first.")
        return [1]
    }
    if ([channel, nuclei].max() > imp.NChannels)
        cellspan.fail("The image has ${imp.NChannels} channel(s), counted from 1.")
    return [channel ?: imp.C] + (nuclei ? [nuclei] : [])
}
