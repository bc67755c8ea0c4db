// Places and names of outlines by the table of cases that Python is tested with too, with ImageJ's own ROIs.
//
// Arguments: places.groovy roi_places.csv

import ij.IJ
import ij.gui.Roi

def places = new GroovyShell(getClass().classLoader).evaluate(new File(args[0]))
def (header, rows) = new File(args[1]).readLines("US-ASCII")*.split(",").with { [it.head(), it.tail()] }
def tested = [written: 0, read: 0, named: 0, shown: 0]
rows.each { row ->
    def text = [header, row].transpose().collectEntries()
    def number = { String name -> text[name] as int }
    def place = [number("slice"), number("frame")]
    def dimensions = ["channels", "slices", "frames"].collect(number)
    def stack = places.newInstance(*dimensions, text.hyperstack == "true")
    def position = ["plane", "c", "z", "t"].collect(number)

    if (text.way == "both") {
        def roi = new Roi(1, 1, 5, 5)
        stack.bind(roi, *place)
        def stored = roi.hasHyperStackPosition() ? [0, roi.CPosition, roi.ZPosition, roi.TPosition] : [roi.position, 0, 0, 0]
        assert stored == position : text.case
        assert stack.name(number("object"), *place, number("largest")) == text.name : text.case
        tested.written++
        // ImageJ agrees on the number of a plane.
        if (position[0] && dimensions.inject { a, b -> a * b } < 100) {
            def image = IJ.createHyperStack("stack", 8, 8, *dimensions, 8)
            assert image.getStackIndex(1, *place) == position[0] : text.case
            tested.shown++
        }
    }
    def drawn = new Roi(1, 1, 5, 5)
    if (position.tail().any())
        drawn.setPosition(*position.tail())
    else
        drawn.setPosition(position[0])
    assert stack.placeOf(drawn) == place : text.case
    tested.read++
    if (text.name) {
        assert stack.named(text.name) == [number("object"), *place] : text.case
        tested.named++
    }
}
println tested
System.exit(0)
