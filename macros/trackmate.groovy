// A detector for TrackMate that finds objects with the engine: each spot has the outline of its object.
//
// Only an ImageJ with TrackMate can evaluate this file; Track with TrackMate registers the detector until ImageJ is closed.
// Sizes are in the unit of the image, as everywhere in TrackMate, and channels count from 1.
// `cellspan install fiji` puts this file into plugins/cellspan.

import fiji.plugin.trackmate.Model
import fiji.plugin.trackmate.Settings
import fiji.plugin.trackmate.Spot
import fiji.plugin.trackmate.TrackMatePlugIn
import fiji.plugin.trackmate.detection.DetectionUtils
import fiji.plugin.trackmate.detection.DetectorKeys
import fiji.plugin.trackmate.detection.LabelImageDetector
import fiji.plugin.trackmate.detection.SpotDetector
import fiji.plugin.trackmate.detection.SpotDetectorFactory
import fiji.plugin.trackmate.gui.Fonts
import fiji.plugin.trackmate.gui.components.ConfigurationPanel
import fiji.plugin.trackmate.tracking.TrackerKeys
import fiji.plugin.trackmate.tracking.jaqaman.SparseLAPTrackerFactory
import fiji.plugin.trackmate.util.DetectionPreview
import fiji.plugin.trackmate.util.TMUtils
import groovy.transform.CompileStatic
import ij.IJ
import ij.ImagePlus
import ij.ImageStack
import ij.WindowManager
import ij.process.ImageProcessor
import java.awt.BorderLayout
import java.awt.GridBagConstraints
import java.awt.GridBagLayout
import java.awt.Insets
import java.util.function.Supplier
import javax.swing.BorderFactory
import javax.swing.ImageIcon
import javax.swing.JCheckBox
import javax.swing.JComboBox
import javax.swing.JComponent
import javax.swing.JLabel
import javax.swing.JPanel
import javax.swing.JTextField
import net.imagej.ImgPlus
import net.imagej.axis.Axes
import net.imglib2.Interval
import net.imglib2.img.display.imagej.ImageJFunctions
import net.imglib2.view.Views
import org.jdom2.Element
import org.scijava.plugin.Plugin
import org.scijava.plugin.PluginInfo
import org.scijava.plugin.PluginService

@Plugin(type = SpotDetectorFactory)
class CellspanDetectorFactory implements SpotDetectorFactory {
    static final String KEY = "CELLSPAN_DETECTOR"
    // The settings, with their names in TrackMate's files, and their defaults
    static final Map<String, Object> DEFAULTS = [(DetectorKeys.KEY_TARGET_CHANNEL): 1, MODEL: "cyto", DIAMETER: 0d,
        NUCLEI_CHANNEL: 0, FLOW_THRESHOLD: 0.4d, CELLPROB_THRESHOLD: 0d, SIMPLIFY_CONTOURS: true]
    private ImgPlus image
    private Map<String, Object> settings
    private String errorMessage

    // Makes TrackMate offer this detector, until ImageJ is closed.
    static void register() {
        def plugins = TMUtils.context.service(PluginService)
        def known = plugins.getPluginsOfType(SpotDetectorFactory).findAll { it.className == CellspanDetectorFactory.name }
        plugins.removePlugins(known) // of an older file
        plugins.addPlugin(new PluginInfo(CellspanDetectorFactory, SpotDetectorFactory))
    }

    // TrackMate's window for an image, in which this detector is chosen, and a tracker that knows divisions.
    static void open(ImagePlus image) {
        WindowManager.tempCurrentImage = image
        new CellspanTrackMate().run(null)
    }

    String getKey() {
        return KEY
    }

    String getName() {
        return "cellspan detector"
    }

    String getInfoText() {
        return "<html>Finds cells and nuclei with the network of cellspan, frame by frame. Each spot has the outline of its " +
            "object; in 3D, it is a sphere of the same volume.</html>"
    }

    ImageIcon getIcon() {
        return null
    }

    String getErrorMessage() {
        return errorMessage
    }

    // The engine computes one image after the other.
    boolean forbidMultithreading() {
        return true
    }

    boolean has2Dsegmentation() {
        return true
    }

    CellspanDetectorFactory copy() {
        return new CellspanDetectorFactory()
    }

    Map<String, Object> getDefaultSettings() {
        return new HashMap(DEFAULTS)
    }

    boolean setTarget(ImgPlus image, Map settings) {
        this.image = image
        this.settings = settings
        return checkSettings(settings)
    }

    boolean checkSettings(Map settings) {
        def wrong = DEFAULTS.findAll { name, usual -> settings[name]?.class != usual.class }
        errorMessage = wrong ? "The cellspan detector needs the settings ${wrong.keySet().join(", ")}." : null
        return !wrong
    }

    boolean marshall(Map settings, Element element) {
        DEFAULTS.keySet().each { element.setAttribute(it, settings[it].toString()) }
        return checkSettings(settings)
    }

    boolean unmarshall(Element element, Map settings) {
        settings.clear()
        DEFAULTS.each { name, usual -> settings[name] = read(element.getAttributeValue(name) ?: usual.toString(), usual.class) }
        return checkSettings(settings)
    }

    static Object read(String text, Class type) {
        return type == Boolean ? text.toBoolean() : text.asType(type)
    }

    SpotDetector getDetector(Interval interval, int frame) {
        return new CellspanDetector(image, interval, frame, settings)
    }

    ConfigurationPanel getDetectorConfigurationPanel(Settings settings, Model model) {
        return new CellspanPanel(settings, model)
    }
}

// Finds the objects of one frame, inside an interval of X, Y and, in volumes, Z.
class CellspanDetector implements SpotDetector {
    private final ImgPlus image
    private final Interval interval
    private final int frame
    private final Map<String, Object> settings
    private List<Spot> spots
    private String errorMessage
    private long processingTime

    CellspanDetector(ImgPlus image, Interval interval, int frame, Map settings) {
        this.image = image
        this.interval = DetectionUtils.squeeze(interval) // without the channel
        this.frame = frame
        this.settings = settings
    }

    boolean checkInput() {
        return true
    }

    boolean process() {
        def started = System.currentTimeMillis()
        try {
            def size = TMUtils.getSpatialCalibration(image)
            def labels = IJ.getProperty("cellspan").segment(part(), inKeysOfSegmentCells(size), true).labels
            spots = isVolume() ? spheres(labels, size) : outlines(labels, size)
        } catch (Exception problem) {
            errorMessage = problem.message ?: "cancelled"
        }
        processingTime = System.currentTimeMillis() - started
        return errorMessage == null
    }

    // Spots with the outlines of the objects in a plane.
    private List<Spot> outlines(ImagePlus labels, double[] size) {
        def there = Views.translate(ImageJFunctions.wrapReal(labels), interval.min(0), interval.min(1))
        def detector = new LabelImageDetector(there, interval, size, settings.SIMPLIFY_CONTOURS)
        if (!detector.process())
            throw new IllegalStateException(detector.errorMessage)
        return detector.result
    }

    // Spots with the centres and the volumes of the objects in a stack; their quality is the number of voxels, as of outlines.
    private List<Spot> spheres(ImagePlus labels, double[] size) {
        def first = [interval.min(0), interval.min(1), interval.min(2)]
        return sums(labels.imageStack).values().collect { double[] sum ->
            def (x, y, z) = (0..2).collect { (sum[it] / sum[3] + first[it]) * size[it] }
            def radius = Math.cbrt(0.75 * sum[3] * size[0] * size[1] * size[2] / Math.PI)
            new Spot(x, y, z, radius, sum[3])
        }
    }

    // By label: the sums of x, y and z, and the number of voxels.
    @CompileStatic
    private static Map<Integer, double[]> sums(ImageStack labels) {
        Map<Integer, double[]> found = [:]
        for (int z = 0; z < labels.size(); z++) {
            ImageProcessor plane = labels.getProcessor(z + 1)
            for (int y = 0; y < plane.height; y++)
                for (int x = 0; x < plane.width; x++) {
                    int label = (int) plane.getf(x, y)
                    if (label == 0)
                        continue
                    double[] sum = found.computeIfAbsent(label) { new double[4] }
                    sum[0] += x
                    sum[1] += y
                    sum[2] += z
                    sum[3]++
                }
        }
        return found
    }

    private boolean isVolume() {
        return interval.numDimensions() > 2
    }

    private List<Integer> channels() {
        return [settings[DetectorKeys.KEY_TARGET_CHANNEL], settings.NUCLEI_CHANNEL].findAll()
    }

    // The interval of this frame, with the channel and that of the nuclei.
    private ImagePlus part() {
        def (width, height) = [interval.dimension(0), interval.dimension(1)]*.intValue()
        def all = ImageJFunctions.wrap(image, "").imageStack // channels before slices before frames, as in ImageJ
        def stack = new ImageStack(width, height)
        def (first, last) = isVolume() ? [interval.min(2), interval.max(2)]*.intValue() : [0, 0]
        for (slice in first..last) for (channel in channels()) {
            def plane = all.getProcessor((frame * count(Axes.Z) + slice) * count(Axes.CHANNEL) + channel)
            plane.setRoi(interval.min(0) as int, interval.min(1) as int, width, height)
            stack.addSlice(plane.crop())
        }
        def part = new ImagePlus("frame ${frame + 1}", stack)
        part.setDimensions(channels().size(), last - first + 1, 1)
        return part
    }

    private int count(axis) {
        def index = image.dimensionIndex(axis)
        return index < 0 ? 1 : image.dimension(index)
    }

    private Map<String, Object> inKeysOfSegmentCells(double[] size) {
        def ofVolume = isVolume() ? [planes: "whole volume (3D)", anisotropy: size[2] / size[0]] : [:]
        return ofVolume + [model: settings.MODEL, diameter: settings.DIAMETER / size[0], channel: "1",
                           nuclei: channels().size() > 1 ? 2 : 0, flow_threshold: settings.FLOW_THRESHOLD,
                           cellprob_threshold: settings.CELLPROB_THRESHOLD]
    }

    List<Spot> getResult() {
        return spots
    }

    String getErrorMessage() {
        return errorMessage
    }

    long getProcessingTime() {
        return processingTime
    }
}

// The fields of the detector in TrackMate's window.
class CellspanPanel extends ConfigurationPanel {
    private final JComboBox model = new JComboBox(IJ.getProperty("cellspan").models() as String[])
    private final Map<String, JTextField> texts
    private final JCheckBox simplify = new JCheckBox("Simplify contours")

    CellspanPanel(Settings settings, Model data) {
        def unit = settings.imp.calibration.units
        def labels = [DIAMETER: "Diameter (${unit}; 0 = automatic)", (DetectorKeys.KEY_TARGET_CHANNEL): "Channel",
                      NUCLEI_CHANNEL: "Nuclei channel (0 = none)", FLOW_THRESHOLD: "Flow threshold (0 = keep all)",
                      CELLPROB_THRESHOLD: "Cellprob threshold (lower = more)"]
        texts = labels.collectEntries { name, label -> [name, new JTextField(6)] }
        model.editable = true
        def fields = new JPanel(new GridBagLayout())
        addPart(fields, new JLabel("Model"), 0, 0)
        addPart(fields, model, 1, 0)
        labels.values().eachWithIndex { label, row -> addPart(fields, new JLabel(label), 0, row + 1) }
        texts.values().eachWithIndex { text, row -> addPart(fields, text, 1, row + 1) }
        addPart(fields, simplify, 0, labels.size() + 1)
        def preview = DetectionPreview.create().model(data).settings(settings).detectorFactory(new CellspanDetectorFactory())
            .detectionSettingsSupplier({ getSettings() } as Supplier).axisLabel("Area").get()
        def top = new JPanel(new BorderLayout(0, 8))
        top.add(new JLabel("<html><b>cellspan detector</b></html>"), BorderLayout.NORTH)
        top.add(fields, BorderLayout.CENTER)
        layout = new BorderLayout()
        border = BorderFactory.createEmptyBorder(8, 8, 8, 8)
        add(top, BorderLayout.NORTH)
        add(preview.panel, BorderLayout.SOUTH)
    }

    // In the small letters of TrackMate's window, which is narrow.
    private static void addPart(JPanel fields, JComponent part, int column, int row) {
        part.font = Fonts.SMALL_FONT
        fields.add(part, new GridBagConstraints(column, row, 1, 1, column ? 1 : 0, 0, GridBagConstraints.LINE_START,
            GridBagConstraints.HORIZONTAL, new Insets(2, column ? 6 : 0, 2, 0), 0, 0))
    }

    void setSettings(Map<String, Object> settings) {
        model.selectedItem = settings.MODEL
        texts.each { name, text -> text.text = shown(settings[name]) }
        simplify.selected = settings.SIMPLIFY_CONTOURS
    }

    // What is no number becomes the default, also in its field.
    Map<String, Object> getSettings() {
        def usual = CellspanDetectorFactory.DEFAULTS
        def numbers = texts.collectEntries { name, text ->
            def given = text.text.trim().replace(",", ".")
            if (!given.isBigDecimal())
                text.text = given = shown(usual[name])
            [name, (given as BigDecimal).asType(usual[name].class)]
        }
        return [MODEL: model.editor.item.toString().trim(), SIMPLIFY_CONTOURS: simplify.selected] + numbers
    }

    private static String shown(Number value) {
        return value.toString().replaceFirst(/\.0$/, "")
    }

    void clean() {
    }
}

// Starts with this detector.
class CellspanTrackMate extends TrackMatePlugIn {
    protected Settings createSettings(ImagePlus image) {
        def settings = super.createSettings(image)
        settings.detectorFactory = new CellspanDetectorFactory()
        settings.detectorSettings = settings.detectorFactory.defaultSettings
        settings.detectorSettings[DetectorKeys.KEY_TARGET_CHANNEL] = image.C
        settings.trackerFactory = new SparseLAPTrackerFactory()
        settings.trackerSettings = settings.trackerFactory.defaultSettings
        settings.trackerSettings[TrackerKeys.KEY_ALLOW_TRACK_SPLITTING] = true
        return settings
    }
}

return CellspanDetectorFactory
