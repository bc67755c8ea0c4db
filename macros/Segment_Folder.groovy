#@ File    (label="Folder of images", style="directory", required=false, description="All images in it and in its subfolders; if it is empty, you are asked for it", persist=false) folder
#@ File    (label="Folder for the results", style="directory", required=false, description="Leave it as it is for a folder beside that of the images, with _cellspan added to its name", value="beside the images", persist=false) output
#@ String  (label="Model", description="Show Engine Status lists models that you added; a macro may also give the folder of a model", choices={"cyto", "nuclei"}, value="cyto", persist=false) model
#@ Double  (label="Diameter in pixels (0 = automatic)", description="Typical diameter of a cell or nucleus; automatic = estimated for each image", min=0, max=4000, value=0, persist=false) diameter
#@ String  (label="Channel (0 = the first)", description="Channel to segment, counted from 1, or several such as 1,3, which are combined; 0 = the first, or the brightness of an RGB image", value="0", persist=false) channel
#@ Integer (label="Nuclei channel (0 = none)", description="Channel with the nuclei, which helps to find cells, counted from 1", min=0, value=0, persist=false) nuclei
#@ Double  (label="Flow threshold (0 = keep all)", description="Raise it to keep more objects", min=0, value=0.4, persist=false) flow_threshold
#@ Double  (label="Cellprob threshold (lower = more)", description="Lower it to find fainter objects and larger outlines", min=-20, max=20, value=0, persist=false) cellprob_threshold
#@ Integer (label="Min size in pixels", description="Smaller objects are dropped", min=0, value=15, persist=false) min_size
#@ Boolean (label="Exclude on edges", description="Drop objects that touch the edge of the image", value=false, persist=false) exclude_on_edges
#@ Boolean (label="Objects are darker than the background", description="Invert the images first", value=false, persist=false) invert
#@ String  (label="Several channels become", description="If several channels are given: their mean, or the maximum, which is the brightest at each pixel; each is scaled first", choices={"mean", "maximum"}, value="mean", persist=false) combine
#@ String  (label="Normalize between percentiles", description="Intensity percentiles LOW,HIGH that become 0 and 1; none = do not scale", value="1,99", persist=false) normalize
#@ String  (label="Limits in grey values (none = percentiles)", description="LOW,HIGH: the grey values that become 0 and 1 in every image, so that plates stay comparable; they replace the percentiles and the next three", value="none", persist=false) limits
#@ Integer (label="Tile norm in pixels (0 = off)", description="Scale in tiles of this size, for uneven light; try 100", min=0, max=10000, value=0, persist=false) tile_norm
#@ Double  (label="Sharpen over pixels (0 = off)", description="Subtract the surroundings over this radius, for blurred images; try a quarter of the diameter", min=0, max=200, value=0, persist=false) sharpen
#@ Double  (label="Smooth over pixels (0 = off)", description="For noisy images; try a tenth of the diameter", min=0, max=200, value=0, persist=false) smooth
#@ Boolean (label="Label images", description="IMAGE_labels.tif: the pixels of object k have the grey level k", value=true, persist=false) labels
#@ Boolean (label="Outlines", description="IMAGE_rois.zip for the ROI Manager", value=true, persist=false) rois
#@ Boolean (label="Tables", description="IMAGE_objects.csv: position, area and intensity of each object", value=true, persist=false) table
#@ Boolean (label="Pictures with outlines", description="IMAGE_overlay.png, to look at", value=false, persist=false) overlay
#@ Boolean (label="Replace earlier results", description="Otherwise an image that already has results counts as failed", value=false, persist=false) replace

// Plugins > cellspan > Segment Folder: finds every cell in every image of a folder and writes the results to files.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Segment Folder", "folder=[/data/plate 1] model=nuclei");  or as the recorder writes it, with every
// setting: with windows, Fiji asks for missing ones; without a display, missing ones have their defaults.
// The same as  cellspan segment FOLDER -o OUTPUT  in a terminal; run.json beside the results records what was done.

import ij.IJ
import ij.io.DirectoryChooser
import java.awt.GraphicsEnvironment

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy.txt")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR The cellspan engine was not found: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = IJ.getProperty("cellspan")
if (cellspan?.made != shared.lastModified())
    cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) {
    def kinds = [labels: labels, rois: rois, table: table, overlay: overlay].findAll { it.value }.keySet()
    if (!kinds)
        cellspan.fail("Choose at least one result: label images, outlines, tables or pictures.")
    def images = folderOfImages()
    def results = cellspan.chosen(output, "beside the images")
        ?: new File(images.absoluteFile.parentFile, images.name + "_cellspan")
    def failed = []
    def answer = cellspan.run(arguments(images, results, kinds)) { line ->
        def image = line =~ /^\[(\d+)\/(\d+)\] /
        def problem = cellspan.problemIn(line)
        if (image) {
            def (_, number, total) = image[0]
            IJ.showStatus("cellspan: ${number} of ${total} images (Esc to cancel)")
            IJ.showProgress(number as int, total as int)
        } else if (problem)
            failed << problem
        else
            cellspan.showProgress(line)
    }
    if (answer.code != 1 || !failed)
        cellspan.requireSuccess(answer)
    def counts = answer.printed.last() - "; results in ${results.path}"
    cellspan.note("${counts}; results in", results)
    if (failed)
        cellspan.fail("${failed.size()} image(s) failed, the others are done. ${inWordsOfTheDialog(failed[0])}")
    cellspan.done(counts)
}

// The engine's sentences are for the command line; those that name its options or count from 0 are said in other words.
String inWordsOfTheDialog(Map problem) {
    def fields = problem.fields
    switch (problem.code) {
        case "result_exists":
            return "${fields.result}: this result exists already; choose Replace earlier results to replace it."
        case "missing_channel":
            def channel = fields.option == "nuclei_channel" ? "nuclei channel" : "channel"
            return "${fields.file}: the ${channel} is ${fields.index + 1}, but the image has ${fields.count} " +
                "channel(s), counted from 1."
        case "several_planes":
            return "${fields.file}: this is a stack; open it and use Segment Cells."
        default:
            return problem.sentence
    }
}

// The folder of the dialog. An empty field would otherwise close it, and all that was entered there would be lost.
File folderOfImages() {
    def chosen = folder
    if (!folder?.path && !GraphicsEnvironment.headless) {
        def answer = new DirectoryChooser("Folder of images").directory
        if (!answer)
            cellspan.cancel()
        chosen = new File(answer)
    }
    if (!chosen?.isDirectory())
        cellspan.fail(chosen?.path ? "${chosen}: there is no such folder." : "Give the folder of images.")
    return chosen
}

List<String> arguments(File images, File results, Set<String> kinds) {
    def settings = [model: model, diameter: diameter, flow_threshold: flow_threshold,
                    cellprob_threshold: cellprob_threshold, min_size: min_size,
                    exclude_on_edges: exclude_on_edges, invert: invert, combine: combine, normalize: normalize,
                    limits: limits, tile_norm: tile_norm, sharpen: sharpen, smooth: smooth, overwrite: replace]
    return ["segment", images.path, "-o", results.path, "--save", kinds.join(",")] +
        cellspan.options(settings + cellspan.channels(cellspan.channelNumbers(channel), nuclei))
}
