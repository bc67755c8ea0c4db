#@ String folder
#@output String answer

// TrackMate with the engine as its detector: a time-lapse of planes, the same of volumes, a mistake.
//
// The folder has lapse.tif (3 frames, nuclei that move by 4 pixels to the right) and volumes.tif (2 frames of 5 slices);
// pixels are 0.5 um wide.

import fiji.plugin.trackmate.Model
import fiji.plugin.trackmate.Settings
import fiji.plugin.trackmate.TrackMate
import fiji.plugin.trackmate.detection.DetectorKeys
import fiji.plugin.trackmate.io.TmXmlReader
import fiji.plugin.trackmate.io.TmXmlWriter
import fiji.plugin.trackmate.providers.DetectorProvider
import fiji.plugin.trackmate.tracking.TrackerKeys
import fiji.plugin.trackmate.tracking.jaqaman.SparseLAPTrackerFactory
import ij.IJ
import java.awt.Window
import javax.swing.JFrame

def lapse = IJ.openImage(folder + "/lapse.tif")
lapse.show()
IJ.run(lapse, "Track with TrackMate", "")
def window = Window.windows.find { it.showing && it instanceof JFrame && it.title.startsWith("TrackMate on lapse") }
assert window : "TrackMate's window is not there"
window.dispose()
def detector = new DetectorProvider().getFactory("CELLSPAN_DETECTOR")
assert detector : "TrackMate does not list the detector"

def tracked = { image, Map given ->
    def settings = new Settings(image)
    settings.detectorFactory = detector.copy()
    settings.detectorSettings = detector.defaultSettings + [MODEL: "nuclei", DIAMETER: 12d] + given
    settings.trackerFactory = new SparseLAPTrackerFactory()
    settings.trackerSettings = settings.trackerFactory.defaultSettings + [(TrackerKeys.KEY_LINKING_MAX_DISTANCE): 5d]
    settings.initialSpotFilterValue = -1d
    def trackmate = new TrackMate(new Model(), settings)
    trackmate.model.setPhysicalUnits("um", "frame")
    trackmate.numThreads = 1
    return trackmate.checkInput() && trackmate.process() ? trackmate : trackmate.errorMessage
}

// ---- planes: spots have outlines, and move by 2 um

def planes = tracked(lapse, [:])
assert planes instanceof TrackMate : planes
def spots = planes.model.spots
assert spots.getNSpots(0, false) > 5
spots.iterable(false).each { spot ->
    assert spot.roi.x.size() > 4
    assert Math.abs(spot.getFeature("RADIUS") - Math.sqrt(spot.roi.area() / Math.PI)) < 0.01
    assert spot.getFeature("RADIUS") > 1 && spot.getFeature("RADIUS") < 12
}
def steps = planes.model.trackModel.edgeSet().collect {
    def ends = [planes.model.trackModel.getEdgeSource(it), planes.model.trackModel.getEdgeTarget(it)].sort { it.getFeature("FRAME") }
    ends[1].getDoublePosition(0) - ends[0].getDoublePosition(0)
}
assert steps.size() >= spots.getNSpots(0, false)
assert Math.abs(steps.sort()[steps.size().intdiv(2)] - 2) < 0.2

// ---- a part of the image: spots stay where they are in the whole image

lapse.setRoi(60, 40, 90, 100)
def part = tracked(lapse, [:]).model.spots
assert part.getNSpots(0, false) in 1..<spots.getNSpots(0, false)
part.iterable(0, false).each { assert it.getDoublePosition(0) > 29 && it.getDoublePosition(1) > 19 }
lapse.deleteRoi()

// ---- volumes: spots are spheres, in the middle of the stack

def volumes = tracked(IJ.openImage(folder + "/volumes.tif"), [:])
assert volumes instanceof TrackMate : volumes
assert volumes.model.spots.getNSpots(0, false) > 2
volumes.model.spots.iterable(false).each {
    assert it.roi == null && Math.abs(it.getDoublePosition(2) - 1) < 0.6
}

// ---- TrackMate's own file keeps the detector

def file = new File(folder, "tracks.xml")
new TmXmlWriter(file).with {
    appendModel(planes.model)
    appendSettings(planes.settings)
    writeToFile()
}
def read = new TmXmlReader(file)
def again = read.readSettings(lapse)
assert read.readingOk : read.errorMessage
assert again.detectorFactory.key == "CELLSPAN_DETECTOR"
assert again.detectorSettings == planes.settings.detectorSettings

// ---- the fields in TrackMate's window: what is no number becomes the default, a comma is read

def panel = detector.getDetectorConfigurationPanel(planes.settings, planes.model)
panel.settings = planes.settings.detectorSettings
assert panel.settings == planes.settings.detectorSettings
panel.texts.DIAMETER.text = "12,5"
panel.texts.FLOW_THRESHOLD.text = "much"
assert panel.settings.DIAMETER == 12.5d && panel.settings.FLOW_THRESHOLD == 0.4d && panel.texts.FLOW_THRESHOLD.text == "0.4"

// ---- mistakes are told in TrackMate

assert tracked(lapse, [MODEL: "missing"]).contains("There is no model 'missing'")
assert tracked(lapse, [(DetectorKeys.KEY_TARGET_CHANNEL): "1"]).contains("TARGET_CHANNEL")
answer = "done"
