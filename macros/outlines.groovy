// The outlines that a person has of an image: those in the ROI Manager or, if it is empty, those in the image's overlay.
//
// `cellspan install fiji` puts this file into plugins/cellspan.

import ij.ImagePlus
import ij.plugin.frame.RoiManager
import java.awt.GraphicsEnvironment

class Outlines {
    private final cellspan
    private final ImagePlus image
    final RoiManager manager // null: they are in the overlay

    Outlines(cellspan, ImagePlus image) {
        this.cellspan = cellspan
        this.image = image
        def open = GraphicsEnvironment.headless ? null : RoiManager.instance2
        manager = open?.count ? open : null
    }

    // Each with its plane: [roi: , slice: , frame: ], counted from 1. `current`: an outline that belongs to no plane is
    // where the image is; else it is refused. `advice` is for whoever has none.
    List<Map> all(boolean current, String advice) {
        def rois = (manager ? manager.roisAsArray : image.overlay?.toArray() ?: []) as List
        if (!rois)
            cellspan.fail("There are no outlines in the ROI Manager: ${advice}")
        def stack = cellspan.shared("places").of(image)
        return rois.collect { roi ->
            def (slice, frame) = stack.placeOf(roi)
            if (!current && (!slice || !frame))
                cellspan.fail("The outline '${roi.name}' belongs to no plane of the stack: go to its plane, and press " +
                    "Update in the ROI Manager.")
            if (slice > image.NSlices || frame > image.NFrames)
                cellspan.fail("The outline '${roi.name}' is on slice ${slice} and frame ${frame}, but the image has " +
                    "${image.NSlices} slice(s) and ${image.NFrames} frame(s).")
            if (!roi.area)
                cellspan.fail("The outline '${roi.name}' is a line or a point, which has no inside: delete it.")
            return [roi: roi, slice: slice ?: image.Z, frame: frame ?: image.T]
        }
    }

    // Shows that names or colours have changed.
    void update() {
        if (manager)
            manager.runCommand("show all")
        image.updateAndDraw()
    }
}

return Outlines
