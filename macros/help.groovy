// The help of the commands, made of their scripts: the opening words, and a table of the settings, which are the keys in macros.
//
// `cellspan.help(infos)` shows it. `cellspan install fiji` puts this file into plugins/cellspan.

import ij.gui.HTMLDialog
import java.awt.GraphicsEnvironment

class Help {
    private static final String WHICH_MODEL = "For nuclei, take nuclei; for cells in phase contrast, yeast and bacteria, " +
        "cyto; for whole cells in fluorescence and for tissue, cyto3 of Cellpose, which `cellspan models fetch cyto3` downloads."

    // Of these commands, as SciJava describes them; without a display, as text.
    static void show(List infos) {
        def page = page(infos)
        if (GraphicsEnvironment.headless)
            println(page.replaceAll(/<[^>]*>/, "").replaceAll(/\n{2,}/, "\n\n").replace("&lt;", "<").replace("&amp;", "&").trim())
        else
            new HTMLDialog("Help for cellspan", page, false)
    }

    static String page(List infos) {
        def sections = infos.collect { section(it) }.join("\n")
        def which = "<h2>Which model</h2>\n<p>${code(WHICH_MODEL)}</p>"
        return "<html><body style='width: 560px; padding: 8px'>\n${which}\n${sections}\n</body></html>"
    }

    private static String section(info) {
        def name = info.menuPath.leaf.name
        def settings = info.inputs().findAll { it.label }
        def lines = ["<h2>${name}</h2>", "<p>${escaped(words(info))}</p>"]
        if (settings) {
            lines << "<p>In a macro: <code>run(\"${name}\", \"${example(settings)}\");</code> with these keys:</p>"
            lines << "<table border='1' cellspacing='0' cellpadding='3'>"
            lines << row("th", "key", "setting", "values", "default")
            settings.each { lines << row("td", it.name, "${it.label}. ${it.description}", values(it), it.defaultValue ?: "") }
            lines << "</table>"
        } else
            lines << "<p>In a macro: <code>run(\"${name}\");</code></p>"
        return lines.join("\n")
    }

    private static String example(List settings) {
        def first = settings[0]
        def value = first.defaultValue?.toString() ?: "..."
        return "${first.name}=${value.contains(" ") ? "[${value}]" : value}"
    }

    // What the script says of itself, up to where it says how it is installed.
    private static String words(info) {
        def lines = info.processedScript.readLines().dropWhile { !it.startsWith("// ") }.takeWhile { it.startsWith("//") }
        def said = lines.takeWhile { !it.startsWith("// For Fiji.") }*.substring(2)*.trim().findAll().join(" ")
        return said.replaceFirst(/^Plugins > cellspan > [^:]*: (.)/) { all, letter -> letter.toUpperCase() }
    }

    private static String values(item) {
        def choices = item.get("of")?.split(/\|/)?.collect { it.split(":")[0] } ?: item.choices
        if (choices)
            return choices.join(", ")
        return item.type == Boolean || item.get("kind") == "box" ? "true, false" : ""
    }

    private static String row(String kind, Object... cells) {
        return "<tr>" + cells.collect { "<${kind} align='left'>${escaped(it.toString())}</${kind}>" }.join("") + "</tr>"
    }

    private static String code(String text) {
        return escaped(text).replaceAll(/`([^`]*)`/, '<code>$1</code>')
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;")
    }
}

return Help
