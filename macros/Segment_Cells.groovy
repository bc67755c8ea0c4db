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
import ij.ImagePlus
import ij.ImageStack
import ij.WindowManager
import ij.gui.Overlay
import ij.gui.Roi
import ij.io.FileSaver
import ij.io.RoiDecoder
import ij.measure.ResultsTable
import ij.plugin.frame.RoiManager
import ij.process.ByteProcessor
import ij.process.ColorProcessor
import ij.process.ImageStatistics
import ij.process.ShortProcessor
import java.awt.GraphicsEnvironment
import java.awt.Rectangle
import java.util.zip.ZipFile

// One outline and where it is; slice and frame count from 1.
class Found {
    Roi roi
    int label, slice, frame
}

def shared = new File(IJ.getDirectory("plugins") ?: "", "cellspan/engine.groovy")
if (!shared.exists()) {
    IJ.error("cellspan", "ERROR The cellspan engine was not found: in a terminal, run\n" +
        "cellspan install fiji --to FOLDER  with the folder of this Fiji.")
    return
}
cellspan = new GroovyShell(getClass().classLoader).evaluate(shared)
cellspan.command(this) { File folder ->
    requireResults()
    def part = partToSegment()
    def rois = new File(folder, "rois.zip")
    def labels = label_image || label_map ? new File(folder, "labels.tif") : null
    IJ.showStatus("cellspan is looking for cells...")
    def count = cellspan.countIn(cellspan.run(arguments(folder, part, rois, labels)))
    def found = count ? readRois(rois, part) : []
    if (found.size() != count)
        cellspan.fail("ImageJ read only ${found.size()} of ${count} outlines; please report this.")
    hand(found, labels, part)
    IJ.showStatus("cellspan: " + summary(found))
}

// ---- what to segment

void requireResults() {
    if (![roi_manager, overlay, label_image, label_map, results_table].any())
        cellspan.fail("Choose at least one result: ROI Manager, overlay, label image, label map or results table.")
}

// The box, channels, slices and frames to send to the engine; the mask is the selected part of the box, null = all.
Map partToSegment() {
    def (slices, frames) = slicesAndFrames()
    def whole = new Rectangle(imp.width, imp.height)
    def selection = imp.roi?.area ? imp.roi : null
    def bounds = selection ? selection.bounds : whole
    def part = bounds.intersection(whole)
    if (part.empty)
        cellspan.fail("The selection is outside the image: move it, or remove it with Edit > Selection > Select None.")
    def (x, y, width, height) = [part.x, part.y, part.width, part.height]*.intValue()
    def mask = selection?.mask?.duplicate()
    mask?.setRoi(x - bounds.x as int, y - bounds.y as int, width, height)
    def box = [x: x, y: y, width: width, height: height, mask: mask?.crop()]
    return box + [slices: slices, frames: frames] + channelsToSegment()
}

List slicesAndFrames() {
    def (slices, frames) = [(1..imp.NSlices).toList(), (1..imp.NFrames).toList()]
    def advice = "or correct the dimensions in Image > Properties."
    if (planes == "every slice" && slices.size() == 1 && frames.size() > 1)
        cellspan.fail("The image has one slice and ${frames.size()} frames: choose 'every frame', ${advice}")
    if (planes == "every frame" && frames.size() == 1 && slices.size() > 1)
        cellspan.fail("The image has one frame and ${slices.size()} slices: choose 'every slice', ${advice}")
    if (threeD() && slices.size() == 1)
        cellspan.fail("The image has only one slice, so it is not a volume: choose other planes, ${advice}")
    return [planes in ["current plane", "every frame"] ? [imp.Z] : slices,
            planes in ["every frame", "every plane", "every volume (3D)"] ? frames : [imp.T]]
}

boolean threeD() {
    return planes.endsWith("volume (3D)")
}

// The channels to send, and the options that say which is which; the engine counts from 0.
Map channelsToSegment() {
    def rgb = imp.type == ImagePlus.COLOR_RGB
    def count = rgb ? 3 : imp.NChannels
    def chosen = cellspan.channelNumbers(channel)
    (chosen.collect { ["channel", it] } + [["nuclei", nuclei]]).each { name, number ->
        if (number < 0 || number > count)
            cellspan.fail("${name} = ${number}, but the image has ${count} channel(s), counted from 1.")
    }
    if (rgb)
        return [channels: [1], shown: 1, options: cellspan.channels(chosen, nuclei)]
    def mains = chosen ?: [imp.C]
    def sent = nuclei ? mains + [nuclei] : mains
    def options = sent.size() == 1 ? [:] : cellspan.channels((1..mains.size()).toList(), nuclei ? sent.size() : 0)
    return [channels: sent, shown: mains[0], options: options]
}

void save(Map part, File file) {
    def stack = new ImageStack(part.width, part.height)
    for (t in part.frames) for (z in part.slices) for (c in part.channels) {
        def plane = imp.imageStack.getProcessor(imp.getStackIndex(c, z, t))
        plane.setRoi(part.x, part.y, part.width, part.height)
        plane = plane.crop()
        if (!(plane instanceof ColorProcessor))
            plane.colorModel = null // the display colours (LUT) are not part of the data
        stack.addSlice(plane)
    }
    def cut = new ImagePlus("cellspan", stack)
    cut.setDimensions(part.channels.size(), part.slices.size(), part.frames.size())
    cut.openAsHyperStack = stack.size() > 1
    if (!new FileSaver(cut).saveAsTiff(file.path))
        cellspan.fail("The image could not be written to ${file}; is the disk full?")
}

// ---- the engine

List<String> arguments(File folder, Map part, File rois, File labels) {
    def picture = new File(folder, "image.tif")
    save(part, picture)
    def words = ["fiji-segment", "--watch", "--input", picture.path, "--rois", rois.path]
    if (part.mask) {
        def mask = new File(folder, "mask.tif")
        new FileSaver(new ImagePlus("mask", part.mask)).saveAsTiff(mask.path)
        words += ["--inside", mask.path]
    }
    words += labels ? ["--labels", labels.path] : []
    words += link_frames ? ["--link"] : []
    def settings = [model: model, diameter: diameter, flow_threshold: flow_threshold,
                    cellprob_threshold: cellprob_threshold, min_size: min_size,
                    exclude_on_edges: exclude_on_edges, invert: invert, combine: combine, normalize: normalize,
                    limits: limits, tile_norm: tile_norm, sharpen: sharpen, smooth: smooth]
    if (threeD())
        settings += stitch_threshold > 0 ? [stitch_threshold: stitch_threshold]
            : [do_3d: true, anisotropy: anisotropy ?: anisotropyOfImage()]
    return words + cellspan.options(settings + part.options)
}

double anisotropyOfImage() {
    def (step, pixel) = imp.calibration.with { [pixelDepth, pixelWidth] }
    return step > 0 && pixel > 0 ? step / pixel : 1
}

// The engine binds outlines to the planes of the part that it got; here they move to those of the user's image.
List<Found> readRois(File archive, Map part) {
    def places = cellspan.shared("places.groovy")
    def sent = places.newInstance(part.channels.size(), part.slices.size(), part.frames.size(), true)
    def found = new ZipFile(archive).withCloseable { zip ->
        zip.entries().collect { entry ->
            def (label, slice, frame) = sent.named(entry.name - ".roi")
            def roi = new RoiDecoder(zip.getInputStream(entry).bytes, entry.name).roi
            roi.setLocation(roi.bounds.x + part.x as int, roi.bounds.y + part.y as int)
            new Found(roi: roi, label: label, slice: part.slices[slice - 1], frame: part.frames[frame - 1])
        }
    }
    def whole = places.of(imp)
    def largest = found*.label.max()
    found.each {
        whole.bind(it.roi, it.slice, it.frame)
        it.roi.name = names == "number" ? places.number(it.label, largest)
            : whole.name(it.label, it.slice, it.frame, largest)
    }
    return found
}

// ---- results

void hand(List<Found> found, File labels, Map part) {
    if (groups) // ImageJ has 255 groups, each with a colour
        found.each { it.roi.group = 1 + (it.label - 1) % 255 }
    if (colours) {
        def palette = cellspan.shared("colours.groovy")
        found.each { it.roi.strokeColor = palette.of(it.label) }
    }
    def toOverlay = overlay || (roi_manager && GraphicsEnvironment.headless)
    if (results_table)
        measure(found, part)
    if (toOverlay)
        addToOverlay(found*.roi)
    if (roi_manager && !GraphicsEnvironment.headless)
        cellspan.onEventThread { addToManager(found*.roi) }
    if (labels)
        showLabels(labels, part)
}

// Outlines that the user has in the ROI Manager stay there. In batch mode, this is the macro's own manager.
void addToManager(List<Roi> rois) {
    def manager = RoiManager.instance2 ?: RoiManager.roiManager
    if (replace)
        manager.reset()
    rois.each { roi ->
        def name = roi.name
        manager.addRoi(roi)
        // ImageJ takes names such as 0003-0001 for coordinates and replaces them.
        if (name.contains("-"))
            manager.rename(manager.count - 1, name)
        // It also binds outlines to the channel that is shown; ours belong to all channels.
        if (imp.NSlices * imp.NFrames == 1)
            manager.getRoi(manager.count - 1).setPosition(0)
    }
    if (rois) {
        def active = WindowManager.currentImage
        def selection = active?.roi
        manager.runCommand("show all") // removes it
        if (selection)
            active.roi = selection
    }
}

void addToOverlay(List<Roi> rois) {
    def shown = (replace ? null : imp.overlay) ?: new Overlay()
    rois.each { shown.add(it.clone()) }
    imp.overlay = shown
}

void measure(List<Found> found, Map part) {
    def table = ResultsTable.resultsTable
    if (replace)
        table.reset()
    def wanted = ImageStatistics.with { AREA + MEAN + STD_DEV + MIN_MAX + CENTROID }
    found.each {
        def plane = imp.imageStack.getProcessor(imp.getStackIndex(part.shown, it.slice, it.frame))
        plane.roi = it.roi
        def values = ImageStatistics.getStatistics(plane, wanted, imp.calibration)
        table.incrementCounter()
        table.addLabel(imp.title + ":" + it.roi.name)
        def row = [Object: it.label, Slice: it.slice, Frame: it.frame, Area: values.area, Mean: values.mean,
                   StdDev: values.stdDev, Min: values.min, Max: values.max, X: values.xCentroid, Y: values.yCentroid]
        row.each { name, value -> table.addValue(name, value as double) }
    }
    if (!GraphicsEnvironment.headless)
        table.show("Results")
}

// The engine's labels cover the box; the label image is as large as the user's image.
void showLabels(File file, Map part) {
    def cut = IJ.openImage(file.path)
    def name = imp.title.replaceFirst(/\.\w{3,4}$/, "")
    if (label_image)
        show(name + "_labels", cut, part) { it }
    if (label_map) {
        def palette = cellspan.shared("colours.groovy")
        show(name + "_map", cut, part) { plane ->
            def indexed = new ByteProcessor(plane.width, plane.height)
            (0..<plane.pixelCount).each { indexed.set(it, palette.index(plane.getf(it) as int)) }
            indexed
        }.lut = palette.lut()
    }
}

ImagePlus show(String title, ImagePlus cut, Map part, Closure kind) {
    def stack = new ImageStack(imp.width, imp.height)
    (1..cut.stackSize).each {
        def plane = kind(cut.imageStack.getProcessor(it))
        def whole = plane.createProcessor(imp.width, imp.height)
        whole.color = java.awt.Color.BLACK
        whole.setValue(0)
        whole.fill()
        whole.insert(plane, part.x, part.y)
        stack.addSlice(whole)
    }
    def result = new ImagePlus(title, stack)
    result.setDimensions(1, part.slices.size(), part.frames.size())
    result.openAsHyperStack = part.frames.size() > 1
    result.calibration = imp.calibration.copy()
    result.calibration.disableDensityCalibration() // calibrated grey values make no sense for labels
    def largest = (1..stack.size()).collect { stack.getProcessor(it).statistics.max }.max()
    result.setDisplayRange(0, Math.max(1, largest))
    result.show()
    return result
}

String summary(List<Found> found) {
    def objects = found.collect { [threeD() ? 0 : it.slice, link_frames ? 0 : it.frame, it.label] }.toSet()
    return "${objects.size()} objects"
}
