using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Shop
{
    public enum Kind { Fruit, Bread }

    public interface IPriced
    {
        int Price { get; }
    }

    public class Item : IPriced
    {
        private readonly int cost = 3;
        public string Name { get; set; }
        public Kind Kind { get; } = Kind.Fruit;
        public int Price => Twice(cost);

        public Item(string name)
        {
            Name = name ?? throw new ArgumentNullException(nameof(name));
        }

        private static int Twice(int x) => x * 2;
    }

    public static class Program
    {
        private static readonly Dictionary<string, List<Item>> shelves =
            new Dictionary<string, List<Item>>();

        private static T Largest<T>(IEnumerable<T> all, T start) where T : IComparable<T>
        {
            foreach (var one in all)
            {
                if (one.CompareTo(start) > 0) start = one;
            }
            return start;
        }

        private static string Describe(object thing)
        {
            StringBuilder text = new StringBuilder();
            if (thing is Item item && item.Price > 0)
            {
                text.Append($"{item.Name,-5}: {item.Price:n0} {{}}");
            }
            return text.ToString() + @"a ""quoted"" {";
        }

        public static void Main(string[] args)
        {
            var names = from arg in args where arg.Length > 1 orderby arg select arg;
            Func<int, int> next = x => x + 1;
            for (int i = 0; i < names.Count(); i = next(i))
            {
                Console.WriteLine(Describe(new Item(names.First())));
            }
            if (int.TryParse("7", out int seven)) Console.WriteLine(Largest(args, "") + seven);
            Console.Write(shelves.Count); // done
        }
    }
}
