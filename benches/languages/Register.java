import java.util.stream.Collectors;

/** A register of who owes what to whom. */
class Register {
    private final Map<String, Integer> balances = new TreeMap<>();
    private int numEntries = 0;

    Register(Map<String, Integer> opening) {
        for (Map.Entry<String, Integer> entry : opening.entrySet()) {
            record(entry.getKey(), entry.getValue());
        }
    }

    /** Adds an amount, which may be negative, to what someone has. */
    void record(String name, int amount) {
        int before = balances.getOrDefault(name, 0);
        balances.put(name, before + amount);
        numEntries += 1;
    }

    boolean isSettled() {
        for (int balance : balances.values()) {
            if (balance != 0) {
                return false;
            }
        }
        return true;
    }

    String describe() {
        StringBuilder text = new StringBuilder();
        for (String name : balances.keySet()) {
            String sign = balances.get(name) < 0 ? "-" : "+";
            text.append(sortKey(name)).append(' ').append(sign).append('\n');
        }
        return text.length() == 0 ? "nobody" : text.toString();
    }

    static int transfers(int[] amounts, int limit) {
        int numTransfers = 0;
        int[] sorted = Arrays.copyOf(amounts, amounts.length);
        Arrays.sort(sorted);
        for (int low = 0, high = sorted.length - 1; low < high; numTransfers++) {
            int moved = Math.min(-sorted[low], sorted[high]);
            sorted[low] += moved;
            sorted[high] -= moved;
            while (low < high && sorted[low] == 0) {
                low++;
            }
            while (high > low && sorted[high] == 0) {
                high--;
            }
            if (numTransfers > limit) {
                throw new IllegalStateException("more than " + limit);
            }
        }
        return numTransfers;
    }

    static String longest(String text) {
