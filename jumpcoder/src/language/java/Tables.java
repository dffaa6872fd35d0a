import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.lang.reflect.Member;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes the tables of this folder: what the JDK that runs it exports. The committed ones are of
 * OpenJDK 17.
 *
 *     java Tables.java packages > packages.txt
 *     java Tables.java members > members.txt
 */
public class Tables {
    /** Packages whose classes programs extend, or import the static members of. */
    static final List<String> EXTENDED = List.of(
        "java.io", "java.lang", "java.math", "java.text", "java.time", "java.util",
        "java.util.concurrent", "java.util.function", "java.util.stream");

    public static void main(String[] arguments) throws Exception {
        TreeMap<String, TreeSet<String>> groups = new TreeMap<>();
        for (ModuleReference module : ModuleFinder.ofSystem().findAll()) {
            if (module.descriptor().name().startsWith("java.")) {
                try (var reader = module.open()) {
                    reader.list().forEach(file -> add(file, arguments[0], groups));
                }
            }
        }
        System.out.println("# The JDK " + System.getProperty("java.specification.version")
            + ", by Tables.java");
        groups.forEach((name, names) ->
            System.out.println((name + " " + String.join(" ", names)).strip()));
    }

    static void add(String file, String table, Map<String, TreeSet<String>> groups) {
        String name = file.replace('/', '.').replaceAll("\\.class$", "");
        if (!file.endsWith(".class") || !name.startsWith("java.") && !name.startsWith("javax.")) {
            return;
        }
        try {
            Class<?> found = Class.forName(name, false, ClassLoader.getSystemClassLoader());
            String outside = found.getPackageName();
            if (!Modifier.isPublic(found.getModifiers()) || !found.getModule().isExported(outside)) {
                return;
            }
            if (table.equals("packages") && !found.isMemberClass()) {
                groups.computeIfAbsent(outside, key -> new TreeSet<>()).add(found.getSimpleName());
            } else if (table.equals("members") && EXTENDED.contains(outside)) {
                groups.computeIfAbsent(found.getSimpleName(), key -> new TreeSet<>())
                    .addAll(members(found));
            }
        } catch (ClassNotFoundException | LinkageError missing) {
            // Not all classes of the modules can be loaded; those can't be used either.
        }
    }

    /** What a class has from itself and from those above it, but for what all have. */
    static TreeSet<String> members(Class<?> owner) {
        TreeSet<String> members = new TreeSet<>();
        for (Class<?> above = owner; above != null && above != Object.class; above = above.getSuperclass()) {
            Stream<Member> declared = Stream.of(above.getDeclaredMethods(), above.getDeclaredFields())
                .flatMap(Arrays::stream).map(Member.class::cast);
            members.addAll(declared.filter(one -> isInherited(one.getModifiers()) && !one.isSynthetic())
                .map(Member::getName).collect(Collectors.toSet()));
            Arrays.stream(above.getDeclaredClasses()).filter(one -> isInherited(one.getModifiers()))
                .forEach(one -> members.add(one.getSimpleName()));
            Arrays.stream(above.getInterfaces()).forEach(one -> members.addAll(members(one)));
        }
        return members;
    }

    static boolean isInherited(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }
}
