#@ ImagePlus imp
#@ String  (label="Model", description="Open Engine Status to list models that you added; a macro may also give the folder of a model", choices={"cyto", "nuclei"}, value="cyto", persist=false) model
#@ Double  (label="Diameter in pixels (0 = automatic)", description="Typical diameter of a cell or nucleus", min=0, max=4000, value=0, persist=false) diameter
#@ String  (label="Channel (0 = the one shown)", description="Channel to segment, counted from 1, or several such as 1,3, which are combined; 0 = the one shown, or the brightness of an RGB image", value="0", persist=false) channel
#@ Integer (label="Nuclei channel (0 = none)", description="Channel with the nuclei, which helps to find cells, counted from 1", min=0, value=0, persist=false) nuclei
#@ String  (label="Planes", description="Which planes of a stack to segment. In a volume (all slices of a frame) each cell is one 3D object; the other choices outline cells plane by plane", choices={"current plane", "every slice", "every frame", "every plane", "whole volume (3D)", "every volume (3D)"}, value="current plane", persist=false) planes
#@ Double  (label="Anisotropy (0 = from the image)", description="For 3D: z step divided by pixel size; 0 = as set in Image > Properties", min=0, max=100, value=0, persist=false) anisotropy
#@ Double  (label="Stitch threshold (0 = true 3D)", description="For 3D: join outlines of neighbouring slices that overlap by at least this fraction (0 to 1), instead of true 3D", min=0, max=1, value=0, persist=false) stitch_threshold
#@ Double  (label="Flow threshold (0 = keep all)", description="Raise it to keep more objects", min=0, value=0.4, persist=false) flow_threshold
#@ Double  (label="Cellprob threshold (lower = more)", description="Lower it to find fainter objects and larger outlines", min=-20, max=20, value=0, persist=false) cellprob_threshold
#@ Integer (label="Min size in pixels", description="Smaller objects are dropped", min=0, value=15, persist=false) min_size
#@ Boolean (label="Exclude on edges", description="Drop objects that touch the edge of the image or of the selection's bounding box", value=false, persist=false) exclude_on_edges
#@ Boolean (label="Objects are darker than the background", description="Invert the image first", value=false, persist=false) invert
#@ String  (label="Several channels become", description="If several channels are given: their mean, or the maximum, which is the brightest at each pixel; each is scaled first", choices={"mean", "maximum"}, value="mean", persist=false) combine
#@ String  (label="Normalize between percentiles", description="Intensity percentiles LOW,HIGH that become 0 and 1; none = do not scale", value="1,99", persist=false) normalize
#@ String  (label="Limits in grey values (none = percentiles)", description="LOW,HIGH: the grey values that become 0 and 1 in every image, so that plates stay comparable; they replace the percentiles and the next three", value="none", persist=false) limits
#@ Integer (label="Tile norm in pixels (0 = off)", description="Scale in tiles of this size, for uneven light; try 100", min=0, max=10000, value=0, persist=false) tile_norm
#@ Double  (label="Sharpen over pixels (0 = off)", description="Subtract the surroundings over this radius, for blurred images; try a quarter of the diameter", min=0, max=200, value=0, persist=false) sharpen
#@ Double  (label="Smooth over pixels (0 = off)", description="For noisy images; try a tenth of the diameter", min=0, max=200, value=0, persist=false) smooth
#@ Boolean (label="Outlines to the ROI Manager", description="Added to the outlines that are already there", value=true, persist=false) roi_manager
#@ Boolean (label="Outlines as overlay", description="Added to the outlines that are already there", value=false, persist=false) overlay
#@ Boolean (label="Label image", description="A new image in which the pixels of object k have the grey level k, for measurements, TrackMate and other programs", value=false, persist=false) label_image
#@ Boolean (label="Label map in colours", description="A new image to look at; colours repeat after 255 objects", value=false, persist=false) label_map
#@ Boolean (label="Results table", description="Area, intensity and position of each outline, added to the Results table", value=false, persist=false) results_table
#@ String  (label="Names of outlines in stacks", description="Frame and slice before the number of the object (0003-0001), or its number alone (0001)", choices={"slice-number", "number"}, value="slice-number", persist=false) names
#@ Boolean (label="A colour for each object", description="Otherwise outlines have ImageJ's colour", value=false, persist=false) colours
#@ Boolean (label="A group for each object", description="In the ROI Manager, all outlines of a group can be selected together; groups repeat after 255 objects", value=false, persist=false) groups
#@ Boolean (label="Link objects over frames", description="Give an object the same number in every frame; after a division, the daughters get new numbers", value=false, persist=false) link_frames
#@ Boolean (label="Replace earlier results", description="Clear the ROI Manager, overlay and table first, where they are chosen as results", value=false, persist=false) replace

// Plugins > cellspan > Segment Cells: finds every cell in the active image, or inside its selection.
//
// For Fiji. `cellspan install fiji --to FOLDER` puts this file into scripts/Plugins/cellspan.
// From a macro:  run("Segment Cells", "model=nuclei diameter=30");  or as the recorder writes it, with every
// setting: with windows, Fiji asks for missing ones; without a display, missing ones have their defaults.
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
    def settings = binding.variables
    def results = cellspan.shared("results").newInstance(cellspan, imp, settings)
    results.requireAny()
    def segmented = cellspan.segment(imp, settings, results.needLabels())
    results.hand(segmented)
    IJ.showStatus("cellspan: ${segmented.count} objects")
}
