// Measures outlines: area and position, and the intensities of every channel, in the units of the image.
//
// `cellspan install fiji` puts this file into plugins/cellspan.

import ij.ImagePlus
import ij.gui.Roi
import ij.measure.Measurements
import ij.measure.ResultsTable
import ij.process.ImageStatistics
import java.awt.GraphicsEnvironment

class Measuring {
    private static final int WANTED = Measurements.AREA + Measurements.MEAN + Measurements.STD_DEV +
        Measurements.MIN_MAX + Measurements.CENTROID
    private final ImagePlus image

    Measuring(ImagePlus image) {
        this.image = image
    }

    // Area, X, Y (the centroid), and of each channel Mean, StdDev, IntDen (the mean times the area), Min and Max. If there
    // are several channels, these names end in the channel: Mean_C1, Mean_C2. RGB images have the brightness as their only one.
    Map<String, Double> of(Roi roi, int slice, int frame) {
        def row = [:]
        for (channel in 1..image.NChannels) {
            def plane = image.imageStack.getProcessor(image.getStackIndex(channel, slice, frame))
            plane.roi = roi
            def found = ImageStatistics.getStatistics(plane, WANTED, image.calibration)
            plane.resetRoi()
            if (channel == 1)
                row += [Area: found.area, X: found.xCentroid, Y: found.yCentroid]
            def end = image.NChannels > 1 ? "_C" + channel : ""
            row += [("Mean" + end): found.mean, ("StdDev" + end): found.stdDev, ("IntDen" + end): found.mean * found.area,
                    ("Min" + end): found.min, ("Max" + end): found.max]
        }
        return row
    }

    // Adds a row for each outline [roi: , slice: , frame: , and further columns]; the first column names image and outline.
    void addTo(ResultsTable table, List<Map> outlines) {
        outlines.each { outline ->
            def columns = outline.findAll { it.key != "roi" } + of(outline.roi, outline.slice, outline.frame)
            addRow(table, outline.roi.name, columns.collectEntries { [it.key.capitalize(), it.value] })
        }
    }

    void addRow(ResultsTable table, String name, Map<String, Number> columns) {
        table.incrementCounter()
        table.addLabel("${image.title}:${name}")
        columns.each { column, value -> table.addValue(column, value as double) }
    }

    // Shows a table, unless nobody would see it. "Results" is ImageJ's own.
    static void show(ResultsTable table, String title) {
        if (!GraphicsEnvironment.headless)
            table.show(title)
    }
}

return Measuring
