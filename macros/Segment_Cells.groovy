#@script (priority=high)
#@ ImagePlus imp
#@ CharSequence (part="Image", label="Model", description="Show Engine Status lists models that you added; a macro may also give the folder of a model", kind="model", value="cyto", persist=false, required=false) model
#@ CharSequence (part="Image", label="Diameter (0 = automatic)", description="Typical diameter of a cell or nucleus", kind="length", min=0, max=4000, value="0", persist=false, required=false) diameter
#@ CharSequence (part="Image", label="Channel", description="Channel to segment, counted from 1, or several such as 1,3, which are combined; 0 = the one shown, or the brightness of an RGB image", kind="channels", needs="channels", value="0", persist=false, required=false) channel
#@ CharSequence (part="Image", label="Nuclei channel", description="Channel with the nuclei, which helps to find cells, counted from 1; 0 = none", kind="channel", zero="none", min=0, needs="channels", value="0", persist=false, required=false) nuclei
#@ CharSequence (part="Image", label="Planes", description="Which planes of a stack to segment. In a volume (all slices of a frame) each cell is one 3D object; the other choices outline cells plane by plane", kind="choice", of="current plane|every slice:slices|every frame:frames|every plane:slices frames|whole volume (3D):slices|every volume (3D):slices frames", needs="stack", value="current plane", persist=false, required=false) planes
#@ CharSequence (part="Objects", label="Flow threshold (0 = keep all)", description="Raise it to keep more objects", kind="number", min=0, softMin=0, softMax=1.5, value="0.4", persist=false, required=false) flow_threshold
#@ CharSequence (part="Objects", label="Cellprob threshold", description="Lower it to find fainter objects and larger outlines", kind="number", min=-20, max=20, softMin=-6, softMax=6, value="0", persist=false, required=false) cellprob_threshold
#@ CharSequence (part="Objects", label="Min size", description="Smaller objects are dropped", kind="area", min=0, value="15", persist=false, required=false) min_size
#@ CharSequence (part="Results", label="ROI Manager", description="Outlines, added to those that are already there", kind="box", value="true", persist=false, required=false) roi_manager
#@ CharSequence (part="Results", label="Overlay", description="Outlines, added to those that are already there", kind="box", value="false", persist=false, required=false) overlay
#@ CharSequence (part="Results", label="Label image", description="A new image in which the pixels of object k have the grey level k, for measurements, TrackMate and other programs", kind="box", value="false", persist=false, required=false) label_image
#@ CharSequence (part="Results", label="Label map in colours", description="A new image to look at; colours repeat after 255 objects", kind="box", value="false", persist=false, required=false) label_map
#@ CharSequence (part="Results", label="Results table", description="Area, position, and the intensity in every channel of each outline, added to the Results table", kind="box", value="false", persist=false, required=false) results_table
#@ CharSequence (part="Results", label="Restored image", description="A new image: what the network saw, if the image is restored first (More...)", kind="box", value="false", persist=false, required=false) restored_image
#@ CharSequence (part="Results", label="Replace earlier results", description="Clear the ROI Manager, overlay and table first, where they are chosen as results", kind="box", value="false", persist=false, required=false) replace
#@ CharSequence (part="Which objects", label="Exclude on edges", description="Drop objects that touch the edge of the image or of the selection's bounding box", kind="box", more=true, value="false", persist=false, required=false) exclude_on_edges
#@ CharSequence (part="Which objects", label="Objects are darker than the background", description="Invert the image first", kind="box", more=true, value="false", persist=false, required=false) invert
#@ CharSequence (part="Outlines", label="A colour for each object", description="Otherwise outlines have the colour of ImageJ", kind="box", more=true, value="false", persist=false, required=false) colours
#@ CharSequence (part="Outlines", label="A group for each object", description="In the ROI Manager, all outlines of a group can be selected together; groups repeat after 255 objects", kind="box", more=true, value="false", persist=false, required=false) groups
#@ CharSequence (part="Outlines", label="Names in stacks", description="Frame and slice before the number of the object (0003-0001), or its number alone (0001)", kind="choice", of="slice-number|number", needs="stack", more=true, value="slice-number", persist=false, required=false) names
#@ CharSequence (part="Volumes", label="Anisotropy (0 = from the image)", description="z step divided by pixel size; 0 = as set in Image > Properties", kind="number", min=0, max=100, needs="slices", more=true, value="0", persist=false, required=false) anisotropy
#@ CharSequence (part="Volumes", label="Stitch threshold (0 = true 3D)", description="Join outlines of neighbouring slices that overlap by at least this fraction (0 to 1), instead of true 3D", kind="number", min=0, max=1, needs="slices", more=true, value="0", persist=false, required=false) stitch_threshold
#@ CharSequence (part="Time", label="Link objects over frames", description="Give an object the same number in every frame; after a division, the daughters get new numbers", kind="box", needs="frames", more=true, value="false", persist=false, required=false) link_frames
#@ CharSequence (part="Grey values", label="Several channels become", description="If several channels are given: their mean, or the maximum, which is the brightest at each pixel; each is scaled first", kind="choice", of="mean|maximum", needs="channels", more=true, value="mean", persist=false, required=false) combine
#@ CharSequence (part="Grey values", label="Normalize between percentiles", description="Intensity percentiles LOW,HIGH that become 0 and 1; none = do not scale", kind="text", more=true, value="1,99", persist=false, required=false) normalize
#@ CharSequence (part="Grey values", label="Limits (none = percentiles)", description="LOW,HIGH: the grey values that become 0 and 1 in every image, so that plates stay comparable; they replace the percentiles and the next three", kind="text", more=true, value="none", persist=false, required=false) limits
#@ CharSequence (part="Grey values", label="Tile norm in pixels (0 = off)", description="Scale in tiles of this size, for uneven light; try 100", kind="count", min=0, max=10000, more=true, value="0", persist=false, required=false) tile_norm
#@ CharSequence (part="Grey values", label="Sharpen over pixels (0 = off)", description="Subtract the surroundings over this radius, for blurred images; try a quarter of the diameter", kind="number", min=0, max=200, more=true, value="0", persist=false, required=false) sharpen
#@ CharSequence (part="Grey values", label="Smooth over pixels (0 = off)", description="For noisy images; try a tenth of the diameter", kind="number", min=0, max=200, more=true, value="0", persist=false, required=false) smooth
#@ CharSequence (part="Grey values", label="Restore the image first", description="A network of Cellpose 3 takes noise, blur or coarse pixels away before objects are looked for; give the diameter, too. Use Cellpose Model downloads the network", kind="restoring", of="none|denoise_cyto3|deblur_cyto3|upsample_cyto3|oneclick_cyto3|denoise_nuclei|deblur_nuclei|upsample_nuclei|oneclick_nuclei", more=true, value="none", persist=false, required=false) restore

// Plugins > cellspan > Segment Cells: finds every cell in the active image, or inside its selection.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Segment Cells", "model=nuclei diameter=30");  missing settings have their defaults.
// Without a display there is no ROI Manager: the outlines then go to the overlay of the image.
// The settings have the names and defaults of the engine (core/parameters.py).

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
    def kinds = cellspan.shared("results")
    def settings = cellspan.settings(this, imp, preview: true) { kinds.requireAny(cellspan, it) }
    def results = kinds.newInstance(cellspan, imp, settings)
    def segmented = cellspan.segment(imp, settings, results.needLabels())
    results.hand(segmented)
    if (!segmented.count)
        cellspan.note("No objects were found in ${imp.title}. " + cellspan.WHAT_TO_TRY)
    cellspan.done(segmented.count ? "${segmented.count} objects" : "no objects; the Log says what to try")
}
