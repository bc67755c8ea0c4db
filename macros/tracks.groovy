// Reads the table of tracks that the engine writes (fiji_bridge/tracks.py).
//
// `cellspan install fiji` puts this file into plugins/cellspan.

class Tracks {
    // A row for each object in each frame and slice: [frame: , slice: , label: , track: , parent: ]; parent 0 = none.
    static List<Map<String, Integer>> read(File table) {
        def (header, rows) = table.readLines("ASCII")*.split(",").with { [it.head(), it.tail()] }
        return rows.collect { row -> [header as List, row*.toInteger()].transpose().collectEntries() }
    }
}

return Tracks
