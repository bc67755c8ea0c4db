// Prints name, type, default and choices of every #@ parameter of scripts, as SciJava, and so Fiji, reads them.
//
// Arguments: SCRIPT...

import ij.ImagePlus
import org.scijava.Context
import org.scijava.script.ScriptInfo
import org.scijava.script.ScriptService

def context = new Context(false)
context.service(ScriptService).addAlias(ImagePlus)
def filledByFiji = [ImagePlus, ScriptService]
args.each { path ->
    println new File(path).name - ".groovy"
    new ScriptInfo(context, new File(path)).inputs().each {
        assert it.label || it.type in filledByFiji
        assert it.description || it.type in filledByFiji
        println "${it.name} ${it.type.simpleName} ${it.defaultValue}${it.choices ? " " + it.choices : ""}"
    }
}
System.exit(0)
