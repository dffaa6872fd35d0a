<?php
namespace Shop;

use ArrayIterator;
use InvalidArgumentException as Invalid;

interface Priced
{
    public function price(): int;
}

class Item implements Priced
{
    private static int $count = 0;

    public function __construct(private string $name, protected int $cost = 3)
    {
        self::$count++;
    }

    public function price(): int
    {
        return twice($this->cost);
    }

    public function name(): string
    {
        if ($this->name === '') {
            throw new Invalid("no name {$this->cost} {");
        }
        return $this->name;
    }
}

function twice(int $x): int
{
    return $x << 1;
}

function largest(array $all, ?int $start = null)
{
    foreach ($all as $key => [$one, $other]) {
        $start = max($one, $other, $start ?? $key);
    }
    return $start;
}

function describe(Priced $thing): string
{
    $prices = [$thing->price(), 1];
    usort($prices, fn($a, $b) => $a <=> $b);
    $show = function (int $price) use ($thing): string {
        return $price . '$' . get_class($thing);
    };
    return implode(', ', array_map($show, $prices));
}

$item = new Item('bun');
$text = <<<END
    not code: {$item->name()} (
    END;
for ($i = 0; $i < 2; $i++) {
    echo match (true) { $i > 0 => describe($item), default => largest([[1, 2]]) };
}
foreach (new ArrayIterator([1, 2]) as $number) {
    printf("%d %s\n", $number, $text); # done
}
