// Prints kind, name, default and choices of every #@ parameter of scripts, as SciJava, and so Fiji, reads them.
//
// Arguments: SCRIPT...

import ij.ImagePlus
import org.scijava.Context
import org.scijava.script.ScriptInfo
import org.scijava.script.ScriptService

def context = new Context(false)
context.service(ScriptService).addAlias(ImagePlus)
args.each { path ->
    println new File(path).name - ".groovy"
    def inputs = new ScriptInfo(context, new File(path)).inputs()
    def (fields, filled) = inputs.split { it.get("kind") }
    filled.each {
        assert it.type in [ImagePlus, ScriptService]
        println([it.type.simpleName, it.name].join("\t"))
    }
    fields.each {
        assert it.type == CharSequence && !it.required && !it.persisted && it.label && it.description && it.get("part")
        println([it.get("kind"), it.name, it.defaultValue, it.get("of") ?: ""].join("\t"))
    }
}
System.exit(0)
