// Segments an image of ImageJ: sends the planes and the part that are wanted to the engine, and gives back where things are.
//
// `cellspan.segment(image, settings)` uses it. The settings have the keys of Segment Cells or, with `nuclei_size`, those of
// Segment Cells with Nuclei; what is not given has the default of the engine (core/parameters.py). `cellspan install fiji` puts this file into plugins/cellspan.

import groovy.transform.CompileStatic
import ij.IJ
import ij.ImagePlus
import ij.ImageStack
import ij.gui.Roi
import ij.io.FileSaver
import ij.io.RoiDecoder
import ij.process.ColorProcessor
import java.awt.Rectangle
import java.nio.file.Files
import java.util.regex.Matcher
import java.util.regex.Pattern
import java.util.zip.ZipEntry
import java.util.zip.ZipFile

// One outline, named and bound to its plane in the user's image; slice and frame count from 1. Of a track, the label is its
// number and the parent that of the one that divided into it, 0 = none. The kind is cell, nucleus or cytoplasm, if they are paired.
@CompileStatic // there may be thousands
class Found {
    private static final Pattern NAME = ~/(?:([a-z]+)-)?(.*)\.roi/
    Roi roi
    int label, slice, frame, parent
    String kind

    // All outlines in the engine's archive, moved to the user's image; `named` tells object, slice and frame in the part.
    static List<Found> read(File archive, Map<String, Object> part, Closure<List<Integer>> named) {
        List<Found> all = []
        new ZipFile(archive).withCloseable { ZipFile zip ->
            for (ZipEntry entry : Collections.list(zip.entries())) {
                Matcher name = NAME.matcher(entry.name)
                name.matches()
                List<Integer> place = named.call(name.group(2))
                Roi roi = new RoiDecoder(zip.getInputStream(entry).bytes, entry.name).roi
                roi.setLocation(roi.bounds.x + (int) part.x, roi.bounds.y + (int) part.y)
                all << new Found(roi: roi, kind: name.group(1), label: place[0],
                    slice: ((List<Integer>) part.slices)[place[1] - 1], frame: ((List<Integer>) part.frames)[place[2] - 1])
            }
        }
        return all
    }
}

// What was found, and in which part of the image: x, y, width, height, slices, frames, and the channel that was shown.
// The labels and the restored image cover that part; null if nobody asked for them.
class Segmented {
    List<Found> found
    ImagePlus labels, restored
    Map part
    boolean paired
    private boolean threeD, linked

    // An object of several planes counts once; of what is paired, the cells count.
    int getCount() {
        return found.findAll { it.kind in [null, "cell"] }.collect { [threeD ? 0 : it.slice, linked ? 0 : it.frame, it.label] }.toSet().size()
    }
}

class Segmenting {
    // Those that the engine has under the same names
    private static final List<String> SAME = ["model", "diameter", "flow_threshold", "cellprob_threshold", "min_size",
        "exclude_on_edges", "invert", "combine", "normalize", "limits", "tile_norm", "sharpen", "smooth",
        "restore"]
    // Those of pairs, with the engine's names; a key of a macro must not end like another one, such as nuclei
    private static final Map<String, String> OF_PAIRS = [nuclei_size: "nuclei_diameter", without_nucleus: "without_nucleus",
        multinucleate: "several_nuclei", without_cell: "without_cell"]
    private final cellspan
    private final ImagePlus imp
    private final Map settings

    Segmenting(cellspan, ImagePlus image, Map settings) {
        this.cellspan = cellspan
        imp = image
        this.settings = [channel: "0", nuclei: 0, planes: "current plane", anisotropy: 0, stitch_threshold: 0,
                         link_frames: false, names: "slice-number"] + settings
    }

    Segmented segment(boolean withLabels) {
        def part = partToSegment()
        def folder = Files.createTempDirectory("cellspan").toFile()
        try {
            def rois = new File(folder, "rois.zip")
            def labels = withLabels ? new File(folder, "labels.tif") : null
            def tracks = settings.link_frames ? new File(folder, "tracks.csv") : null
            IJ.showStatus("cellspan is looking for cells...")
            def restored = settings.restored_image ? new File(folder, "restored.tif") : null
            def count = cellspan.runInWorker(arguments(folder, part, rois, labels, tracks, restored))
            def found = count ? readRois(rois, part) : []
            if (tracks?.exists())
                setParents(found, tracks, part)
            if (found.size() != count)
                cellspan.fail("ImageJ read only ${found.size()} of ${count} outlines; please report this.")
            return new Segmented(found: found, labels: labels != null ? IJ.openImage(labels.path) : null, part: part,
                restored: restored != null ? IJ.openImage(restored.path) : null,
                paired: paired(), threeD: threeD(), linked: settings.link_frames)
        } finally {
            folder.deleteDir()
        }
    }

    // ---- what to segment

    // The box, channels, slices and frames to send to the engine; the mask is the selected part of the box, null = all.
    private Map partToSegment() {
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

    private List slicesAndFrames() {
        def (slices, frames) = [(1..imp.NSlices).toList(), (1..imp.NFrames).toList()]
        def advice = "or correct the dimensions in Image > Properties."
        if (settings.planes == "every slice" && slices.size() == 1 && frames.size() > 1)
            cellspan.fail("The image has one slice and ${frames.size()} frames: choose 'every frame', ${advice}")
        if (settings.planes == "every frame" && frames.size() == 1 && slices.size() > 1)
            cellspan.fail("The image has one frame and ${slices.size()} slices: choose 'every slice', ${advice}")
        if (threeD() && slices.size() == 1)
            cellspan.fail("The image has only one slice, so it is not a volume: choose other planes, ${advice}")
        return [settings.planes in ["current plane", "every frame"] ? [imp.Z] : slices,
                settings.planes in ["every frame", "every plane", "every volume (3D)"] ? frames : [imp.T]]
    }

    private boolean paired() {
        return settings.containsKey("nuclei_size")
    }

    private boolean threeD() {
        return settings.planes.endsWith("volume (3D)")
    }

    // The channels to send, and the options that say which is which; the engine counts from 0.
    private Map channelsToSegment() {
        def rgb = imp.type == ImagePlus.COLOR_RGB
        def count = rgb ? 3 : imp.NChannels
        def chosen = cellspan.channelNumbers(settings.channel)
        (chosen.collect { ["channel", it] } + [["nuclei", settings.nuclei]]).each { name, number ->
            if (number < 0 || number > count)
                cellspan.fail("${name} = ${number}, but the image has ${count} channel(s), counted from 1.")
        }
        if (rgb)
            return [channels: [1], shown: 1, options: cellspan.channels(chosen, settings.nuclei)]
        def mains = chosen ?: [imp.C]
        def sent = settings.nuclei ? mains + [settings.nuclei] : mains
        def options = sent.size() == 1 ? [:]
            : cellspan.channels((1..mains.size()).toList(), settings.nuclei ? sent.size() : 0)
        return [channels: sent, shown: mains[0], options: options]
    }

    private void save(Map part, File file) {
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

    private List<String> arguments(File folder, Map part, File rois, File labels, File tracks, File restored) {
        def picture = new File(folder, "image.tif")
        save(part, picture)
        def words = [paired() ? "fiji-cells" : "fiji-segment", "--input", picture.path, "--rois", rois.path]
        if (part.mask) {
            def mask = new File(folder, "mask.tif")
            new FileSaver(new ImagePlus("mask", part.mask)).saveAsTiff(mask.path)
            words += ["--inside", mask.path]
        }
        // In Groovy 5, a file that does not exist yet is false.
        words += labels != null ? ["--labels", labels.path] : []
        words += tracks != null ? ["--link", "--tracks", tracks.path] : []
        words += restored != null ? ["--restored", restored.path] : []
        words += settings.preview ? ["--preview"] : []
        def options = settings.findAll { it.key in SAME } + part.options
        options += settings.findAll { OF_PAIRS.containsKey(it.key) }.collectEntries { [OF_PAIRS[it.key], it.value] }
        if (threeD())
            options += settings.stitch_threshold > 0 ? [stitch_threshold: settings.stitch_threshold]
                : [do_3d: true, anisotropy: settings.anisotropy ?: anisotropyOfImage()]
        return words + cellspan.options(options)
    }

    private double anisotropyOfImage() {
        def (step, pixel) = imp.calibration.with { [pixelDepth, pixelWidth] }
        return step > 0 && pixel > 0 ? step / pixel : 1
    }

    // The engine binds outlines to the planes of the part that it got; here they move to those of the user's image.
    private List<Found> readRois(File archive, Map part) {
        def places = cellspan.shared("places")
        def sent = places.newInstance(part.channels.size(), part.slices.size(), part.frames.size(), true)
        def found = Found.read(archive, part, sent.&named)
        def whole = places.of(imp)
        def largest = found*.label.max()
        found.each {
            whole.bind(it.roi, it.slice, it.frame)
            def name = settings.names == "number" ? places.number(it.label, largest)
                : whole.name(it.label, it.slice, it.frame, largest)
            it.roi.name = it.kind ? it.kind + "-" + name : name
        }
        return found
    }

    // From the table of tracks, in which frames and slices are those of the part.
    private void setParents(List<Found> found, File tracks, Map part) {
        def parents = cellspan.shared("tracks").read(tracks).collectEntries { [[it.slice, it.track], it.parent] }
        found.each { it.parent = parents[[part.slices.indexOf(it.slice) + 1, it.label]] ?: 0 }
    }
}

return Segmenting
