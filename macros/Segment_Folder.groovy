#@ File    (label="Folder of images", style="directory", description="All images in it and below it", persist=false) folder
#@ File    (label="Folder for the results", style="directory", required=false, description="As it is: a folder beside the images', with _cellspan after its name", value="beside the images", persist=false) output
#@ String  (label="Model", description="A model of yours is in the list after Engine Status; a macro may name its folder", choices={"cyto", "nuclei"}, value="cyto", persist=false) model
#@ Double  (label="Diameter in pixels (0 = automatic)", description="Typical diameter of an object; automatic = of each image for itself", min=0, max=4000, value=0, persist=false) diameter
#@ Integer (label="Channel (0 = the first)", description="Channel to segment, counted from 1; 0 of an RGB image = its brightness", min=0, value=0, persist=false) channel
#@ Integer (label="Nuclei channel (0 = none)", description="Channel that shows the nuclei and helps to find cells, counted from 1", min=0, value=0, persist=false) nuclei
#@ Double  (label="Flow threshold (0 = keep all)", description="Raise it to keep more objects", min=0, value=0.4, persist=false) flow_threshold
#@ Double  (label="Cellprob threshold (lower = more)", description="Lower it to find fainter objects and larger outlines", min=-20, max=20, value=0, persist=false) cellprob_threshold
#@ Integer (label="Min size in pixels", description="Smaller objects are dropped", min=0, value=15, persist=false) min_size
#@ Boolean (label="Exclude on edges", description="Drop objects that touch the border of the image", value=false, persist=false) exclude_on_edges
#@ Boolean (label="Objects are darker than the background", description="Invert the images first", value=false, persist=false) invert
#@ Boolean (label="Label images", description="IMAGE_labels.tif: the pixels of object k are k", value=true, persist=false) labels
#@ Boolean (label="Outlines", description="IMAGE_rois.zip for the ROI Manager", value=true, persist=false) rois
#@ Boolean (label="Tables", description="IMAGE_objects.csv: place, area and intensity of each object", value=true, persist=false) table
#@ Boolean (label="Pictures with outlines", description="IMAGE_overlay.png for looking at", value=false, persist=false) overlay
#@ Boolean (label="Replace earlier results", description="Else an image whose results are there already counts as failed", value=false, persist=false) replace

// Plugins > cellspan > Segment Folder: finds every cell in every image of a folder and writes the results to files.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Segment Folder", "folder=[/data/plate 1] model=nuclei");  or as the recorder writes it, with every
// setting: with windows, Fiji asks for those that are not given; without a display, they have their defaults.
// It is the command  cellspan segment FOLDER -o OUTPUT  of a terminal; run.json beside the results says what was done.

import ij.IJ

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR cellspan's engine is not known here: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) {
    def failed = []
    def answer = cellspan.run(arguments()) { line ->
        def image = line =~ /^\[(\d+)\/(\d+)\] (.*)$/
        if (image) {
            def (_, number, total, words) = image[0]
            IJ.showStatus("cellspan: ${number} of ${total} images (Esc to cancel)")
            IJ.showProgress(number as int, total as int)
            if (words.startsWith("FAILED "))
                failed << inWordsOfTheDialog(words - "FAILED ")
        } else if (line.startsWith("Note: "))
            cellspan.note(line - "Note: ")
    }
    if (answer.code != 1 || !failed)
        cellspan.requireSuccess(answer)
    cellspan.note(answer.printed.last())
    if (failed)
        cellspan.fail("${failed.size()} image(s) failed, the others are done. ${failed[0]}")
    IJ.showStatus("cellspan: " + answer.printed.last())
}

// The engine speaks to people at a terminal.
String inWordsOfTheDialog(String sentence) {
    return sentence.replace("add --overwrite to replace it", "choose Replace earlier results to replace it")
        .replaceFirst(/segment a z-stack as a volume \(.*\)/, "open it and use Segment Cells")
        .replaceFirst(/(nuclei_)?channel = (\d+), (.*), counted from 0/) { all, nuclei, number, words ->
            "the ${nuclei ? "nuclei channel" : "channel"} is ${(number as int) + 1}, ${words}, counted from 1"
        }
}

List<String> arguments() {
    def kinds = [labels: labels, rois: rois, table: table, overlay: overlay].findAll { it.value }.keySet()
    if (!kinds)
        cellspan.fail("Choose at least one result: label images, outlines, tables or pictures.")
    if (!folder?.isDirectory())
        cellspan.fail("${folder}: there is no such folder.")
    def results = cellspan.chosen(output, "beside the images")
        ?: new File(folder.absoluteFile.parentFile, folder.name + "_cellspan")
    def settings = [model: model, diameter: diameter, flow_threshold: flow_threshold,
                    cellprob_threshold: cellprob_threshold, min_size: min_size,
                    exclude_on_edges: exclude_on_edges, invert: invert, overwrite: replace]
    return ["segment", folder.path, "-o", results.path, "--save", kinds.join(",")] +
        cellspan.options(settings + cellspan.channels(channel, nuclei))
}
