// What uv prints, in words for a person: how much has been downloaded, and why it failed.
//
// CellProfiler's plugin says the same (cellspan_plugin/uv_words.py). uv's own words, which name addresses and causes within
// causes, are for whoever helps; they are in the log. `cellspan install fiji` puts this file into plugins/cellspan.

class UvWords {
    private static final Map<String, Double> MEGABYTES = [KiB: 0.001049d, MiB: 1.049d, GiB: 1074d]
    // Pieces of what uv, Java and the systems print, in small letters.
    private static final List<String> FULL = ["no space left", "not enough space", "quota exceeded"]
    private static final List<String> UNTRUSTED = ["certificate", "certification"]
    private static final List<String> UNREACHED = [
        "error sending request", "dns error", "failed to fetch", "failed to download", "timed out", "connection",
    ]

    // How much has come of what uv has said to be downloading, such as ", 83 of 205 MB"; empty if nothing is.
    static String downloaded(List<String> lines) {
        def sizes = [:]
        double come = 0
        for (line in lines) {
            def begun = line =~ /^ *Downloading (\S+) .*\(([\d.]+)(KiB|MiB|GiB)\)/
            def done = line =~ /^ *Downloaded (\S+)/
            if (begun)
                sizes[begun[0][1]] = (begun[0][2] as double) * MEGABYTES[begun[0][3]]
            else if (done)
                come += sizes.remove(done[0][1]) ?: 0
        }
        def total = come + (sizes.values().sum() ?: 0)
        return sizes ? ", ${Math.round(come)} of ${Math.round(total)} MB" : ""
    }

    // Why the engine could not be installed, and what to do, in sentences.
    static String failure(List<String> lines, File log, String diskMb) {
        def said = lines.join("\n").toLowerCase()
        if (FULL.any { said.contains(it) })
            return "The engine could not be installed, because the disk is full: it needs about ${diskMb} MB in " +
                "${log.parent}. Make room, and use cellspan again. (All that was printed is in ${log}.)"
        if ((UNTRUSTED + UNREACHED).any { said.contains(it) }) {
            def hosts = (lines.join("\n") =~ /https?:\/\/([^\/\s`"')]+)/).collect { it[1] }
            return notReached(hosts ? hosts[0] : "the internet", said, log)
        }
        return "The engine could not be installed: ${errorIn(lines)} Use cellspan again, which tries once more; if that " +
            "fails, report it with the file ${log}."
    }

    // That nothing came from there, and what to do; `said` is what the program said that tried.
    static String notReached(String host, String said, File log) {
        if (UNTRUSTED.any { said.toLowerCase().contains(it) })
            return "The engine could not be installed, because the connection to ${host} is not trusted: its certificate is " +
                "unknown here. Mostly the network of an institute looks into connections; ask its administrator, with the " +
                "page 'Install without a terminal' of cellspan's documentation. (All that was printed is in ${log}.)"
        return "The engine could not be installed, because nothing could be downloaded from ${host}. Check the connection " +
            "to the internet, and use cellspan again. Behind a proxy or a firewall, ask its administrator, with the page " +
            "'Install without a terminal' of cellspan's documentation. (All that was printed is in ${log}.)"
    }

    // The error among the lines that uv printed, without its decorations.
    static String errorIn(List<String> lines) {
        def start = lines.findIndexOf { it.trim().startsWith("error:") || it.trim().startsWith("\u00d7") }
        def said = start < 0 ? lines.takeRight(1) : lines.drop(start).take(3)
        def text = said.collect { it.replaceAll(/^[\s\u00d7\u2570\u2500\u25b6\u251c\u2502]*((error|cause): )?/, "").trim() }.join(": ")
        return (text.replace("::", ":") ?: "it said nothing").replaceAll(/([^.!])$/, '$1.')
    }
}

return UvWords
