#@ CharSequence (part="Folders", label="Folder of images", description="All images in it and in its subfolders", kind="folder", none="", value="", persist=false, required=false) folder
#@ CharSequence (part="Folders", label="Folder for the results", description="Leave it as it is for a folder beside that of the images, with _cellspan added to its name", kind="folder", none="beside the images", value="beside the images", persist=false, required=false) output
#@ CharSequence (part="Images", label="Model", description="Show Engine Status lists models that you added; a macro may also give the folder of a model", kind="model", value="cyto", persist=false, required=false) model
#@ CharSequence (part="Images", label="Diameter (0 = automatic)", description="Typical diameter of a cell or nucleus; automatic = estimated for each image", kind="length", min=0, max=4000, value="0", persist=false, required=false) diameter
#@ CharSequence (part="Images", label="Channel (0 = the first)", description="Channel to segment, counted from 1, or several such as 1,3, which are combined; 0 = the first, or the brightness of an RGB image", kind="channels", value="0", persist=false, required=false) channel
#@ CharSequence (part="Images", label="Nuclei channel (0 = none)", description="Channel with the nuclei, which helps to find cells, counted from 1", kind="channel", min=0, value="0", persist=false, required=false) nuclei
#@ CharSequence (part="Objects", label="Flow threshold (0 = keep all)", description="Raise it to keep more objects", kind="number", min=0, softMin=0, softMax=1.5, value="0.4", persist=false, required=false) flow_threshold
#@ CharSequence (part="Objects", label="Cellprob threshold", description="Lower it to find fainter objects and larger outlines", kind="number", min=-20, max=20, softMin=-6, softMax=6, value="0", persist=false, required=false) cellprob_threshold
#@ CharSequence (part="Objects", label="Min size", description="Smaller objects are dropped", kind="area", min=0, value="15", persist=false, required=false) min_size
#@ CharSequence (part="Results", label="Label images", description="IMAGE_labels.tif: the pixels of object k have the grey level k", kind="box", value="true", persist=false, required=false) labels
#@ CharSequence (part="Results", label="Outlines", description="IMAGE_rois.zip for the ROI Manager", kind="box", value="true", persist=false, required=false) rois
#@ CharSequence (part="Results", label="Tables", description="IMAGE_objects.csv: position, area and intensity of each object", kind="box", value="true", persist=false, required=false) table
#@ CharSequence (part="Results", label="Pictures with outlines", description="IMAGE_overlay.png, to look at", kind="box", value="false", persist=false, required=false) overlay
#@ CharSequence (part="Results", label="Restored images", description="IMAGE_restored.tif: what the network saw, if the images are restored first (More...)", kind="box", value="false", persist=false, required=false) restored
#@ CharSequence (part="Results", label="Replace earlier results", description="Otherwise an image that already has results counts as failed", kind="box", value="false", persist=false, required=false) replace
#@ CharSequence (part="Which objects", label="Exclude on edges", description="Drop objects that touch the edge of the image", kind="box", more=true, value="false", persist=false, required=false) exclude_on_edges
#@ CharSequence (part="Which objects", label="Objects are darker than the background", description="Invert the images first", kind="box", more=true, value="false", persist=false, required=false) invert
#@ CharSequence (part="Grey values", label="Several channels become", description="If several channels are given: their mean, or the maximum, which is the brightest at each pixel; each is scaled first", kind="choice", of="mean|maximum", more=true, value="mean", persist=false, required=false) combine
#@ CharSequence (part="Grey values", label="Normalize between percentiles", description="Intensity percentiles LOW,HIGH that become 0 and 1; none = do not scale", kind="text", more=true, value="1,99", persist=false, required=false) normalize
#@ CharSequence (part="Grey values", label="Limits (none = percentiles)", description="LOW,HIGH: the grey values that become 0 and 1 in every image, so that plates stay comparable; they replace the percentiles and the next three", kind="text", more=true, value="none", persist=false, required=false) limits
#@ CharSequence (part="Grey values", label="Tile norm in pixels (0 = off)", description="Scale in tiles of this size, for uneven light; try 100", kind="count", min=0, max=10000, more=true, value="0", persist=false, required=false) tile_norm
#@ CharSequence (part="Grey values", label="Sharpen over pixels (0 = off)", description="Subtract the surroundings over this radius, for blurred images; try a quarter of the diameter", kind="number", min=0, max=200, more=true, value="0", persist=false, required=false) sharpen
#@ CharSequence (part="Grey values", label="Smooth over pixels (0 = off)", description="For noisy images; try a tenth of the diameter", kind="number", min=0, max=200, more=true, value="0", persist=false, required=false) smooth
#@ CharSequence (part="Grey values", label="Restore the image first", description="A network of Cellpose 3 takes noise, blur or coarse pixels away before objects are looked for; give the diameter, too. Use Cellpose Model downloads the network", kind="restoring", of="none|denoise_cyto3|deblur_cyto3|upsample_cyto3|oneclick_cyto3|denoise_nuclei|deblur_nuclei|upsample_nuclei|oneclick_nuclei", more=true, value="none", persist=false, required=false) restore

// Plugins > cellspan > Segment Folder: finds every cell in every image of a folder and writes the results to files.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Segment Folder", "folder=[/data/plate 1] model=nuclei");  missing settings have their defaults.
// The same as  cellspan segment FOLDER -o OUTPUT  in a terminal; run.json beside the results records what was done.

import ij.IJ

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
    def settings = cellspan.settings(this, null) { check(it) }
    def images = settings.folder.absoluteFile
    def results = settings.output != null ? settings.output : new File(images.parentFile, images.name + "_cellspan")
    def failed = []
    def answer = cellspan.run(arguments(images, results, settings)) { line ->
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

void check(Map settings) {
    if (!kinds(settings))
        cellspan.fail("Choose at least one result: label images, outlines, tables or pictures.")
    if (settings.restored && settings.restore == "none")
        cellspan.fail(cellspan.NOTHING_RESTORED)
    if (!settings.folder?.isDirectory())
        cellspan.fail(settings.folder != null ? "${settings.folder}: there is no such folder." : "Give the folder of images.")
}

List<String> kinds(Map settings) {
    return ["labels", "rois", "table", "overlay", "restored"].findAll { settings[it] }
}

List<String> arguments(File images, File results, Map settings) {
    def same = ["model", "diameter", "flow_threshold", "cellprob_threshold", "min_size", "exclude_on_edges", "invert",
                "combine", "normalize", "limits", "tile_norm", "sharpen", "smooth", "restore"]
    def channels = cellspan.channels(cellspan.channelNumbers(settings.channel), settings.nuclei)
    return ["segment", images.path, "-o", results.path, "--save", kinds(settings).join(",")] +
        cellspan.options(settings.subMap(same) + [overwrite: settings.replace] + channels)
}
