// How the commands read the errors of `cellspan --for-programs`, one per line of a file; prints code, sentence, fields.
//
// Arguments: engine.groovy FILE

def engine = new GroovyShell(getClass().classLoader).evaluate(new File(args[0]))
new File(args[1]).eachLine("UTF-8") { line ->
    def problem = engine.problemIn(line)
    if (problem)
        [problem.code, problem.sentence, *problem.fields.collect { "${it.key} ${it.value.class.simpleName} ${it.value}" }].each {
            println it.toString().collectReplacements { it == "\n" as char ? "\\n" : null }
        }
    else
        println "no problem"
}
System.exit(0)
