import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** A shelf of books. */
public class Program<T extends Comparable<T>> {
    private final List<T> titles = new ArrayList<>();
    private static int numBooks = 0;

    public Program(int limit) {
        this.titles.clear();
    }

    // Adds a book.
    public boolean add(T title) {
        if (titles.contains(title) || numBooks > limit()) {
            return false;
        }
        for (T other : titles) {
            int order = other.compareTo(title);
            switch (order) {
                case 0 -> System.out.println("same");
                default -> numBooks++;
            }
        }
        return titles.add(title);
    }

    static int limit() {
        Function<Integer, Integer> twice = x -> 2 * x;
        try {
            return twice.apply(Integer.parseInt("5"));
        } catch (NumberFormatException e) {
            throw new IllegalStateException("no number", e);
        }
    }

    enum Color { RED, GREEN; }

    record Point(int x, int y) {
        int sum() { return x + y; }
    }

    public static void main(String[] args) {
        String text = """
            a "text" block
            """;
        System.out.println(text + new Point(1, 2).sum() + Color.RED + 'c' + limit());
    }
}
