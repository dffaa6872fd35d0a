import com.sun.source.util.JavacTask;
import com.sun.tools.javac.api.JavacTaskPool;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * Says which names javac calls undefined, for many programs in one process.
 *
 * On standard input, each program is its number of bytes (four of them, the highest first) and its
 * text. Answered are lines of a line's number and a name, or nothing in place of the name if the
 * line can't be parsed; a line with a dot ends a program. The pool, which spares each program the
 * loading of the JDK's classes, is javac's own:
 *
 *     java --add-exports jdk.compiler/com.sun.tools.javac.api=ALL-UNNAMED Javac.java
 */
public class Javac {
    /** Without the first, one error in a declaration would keep javac from looking further. */
    static final List<String> OPTIONS = List.of(
        "-XDshould-stop.ifError=FLOW", "-Xmaxerrs", "100000", "-proc:none", "-Xlint:none");

    public static void main(String[] arguments) throws IOException {
        var pool = new JavacTaskPool(1);
        var files = ToolProvider.getSystemJavaCompiler()
            .getStandardFileManager(null, null, StandardCharsets.UTF_8);
        var input = new DataInputStream(System.in);
        var output = new PrintStream(
            new BufferedOutputStream(System.out), false, StandardCharsets.UTF_8);
        while (true) {
            byte[] length = input.readNBytes(4);
            if (length.length < 4) {
                break;
            }
            int numBytes = ByteBuffer.wrap(length).getInt();
            String text = new String(input.readNBytes(numBytes), StandardCharsets.UTF_8);
            var found = new DiagnosticCollector<JavaFileObject>();
            pool.getTask(null, files, found, OPTIONS, null, List.of(new Source(text)), task -> {
                answer(text, task, found, output);
                return null;
            });
            output.println(".");
        }
        output.flush();
    }

    static void answer(
            String text, JavacTask task, DiagnosticCollector<?> found, PrintStream output) {
        try {
            task.parse();
            // What javac makes up for text that it can't parse may make it crash.
            boolean isParsed = found.getDiagnostics().isEmpty();
            if (isParsed) {
                task.analyze();
            }
            for (var one : found.getDiagnostics()) {
                String name = isParsed ? undefined(one, text) : "";
                if (one.getKind() == Diagnostic.Kind.ERROR && name != null) {
                    output.println(one.getLineNumber() + " " + name);
                }
            }
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    /** The simple name that an error calls undefined, or null if it says something else. */
    static String undefined(Diagnostic<?> error, String text) {
        boolean isPackage = error.getCode().equals("compiler.err.doesnt.exist");
        if (!isPackage && !error.getCode().startsWith("compiler.err.cant.resolve")) {
            return null;
        }
        // Of `Map.Entry` without `Map`, javac says that there is no package `Map`, at the dot.
        int start = (int) (isPackage ? error.getStartPosition() : error.getPosition());
        int lineStart = text.lastIndexOf('\n', start) + 1;
        int end = start;
        while (end < text.length() && Character.isJavaIdentifierPart(text.charAt(end))) {
            end++;
        }
        boolean isImport = text.startsWith("import ", lineStart);
        boolean isAfterDot = text.substring(0, start).stripTrailing().endsWith(".");
        return end == start || isAfterDot || isImport ? null : text.substring(start, end);
    }

    /** A program in memory. */
    static class Source extends SimpleJavaFileObject {
        private final String text;

        Source(String text) {
            super(URI.create("string:///Program.java"), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }
    }
}
