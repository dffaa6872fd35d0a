using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

/// <summary>
/// Writes the tables of this folder: what the assemblies of the running Mono hold. The committed
/// ones are of Mono 6.8.
///
///     mcs Tables.cs -r:System.Numerics.dll -r:System.Xml.dll
///     mono Tables.exe namespaces > namespaces.txt
///     mono Tables.exe members > members.txt
/// </summary>
static class Tables
{
    const BindingFlags Declared = BindingFlags.DeclaredOnly | BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;

    /// <summary>One type of each assembly: mscorlib, System, Core, Numerics, Xml.</summary>
    static readonly Type[] Samples =
    {
        typeof(object), typeof(Uri), typeof(HashSet<int>), typeof(System.Numerics.BigInteger),
        typeof(System.Xml.XmlNode),
    };

    /// <summary>
    /// Namespaces whose classes programs extend, or whose static members they import.
    /// </summary>
    static readonly HashSet<string> Extended = new HashSet<string>
    {
        "System", "System.Collections", "System.Collections.Concurrent",
        "System.Collections.Generic", "System.Collections.ObjectModel", "System.Diagnostics",
        "System.IO", "System.Linq", "System.Numerics", "System.Text", "System.Threading",
        "System.Threading.Tasks",
    };

    static void Main(string[] arguments)
    {
        var types = Samples.SelectMany(sample => sample.Assembly.GetExportedTypes())
            .Where(type => type.Namespace != null && !type.Namespace.StartsWith("Mono"));
        Console.WriteLine($"# Mono {RuntimeVersion()}, by Tables.cs");
        var groups = arguments[0] == "namespaces" ? Namespaces(types) : Members(types);
        foreach (var group in groups.OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var names = group.Value.OrderBy(name => name, StringComparer.Ordinal);
            Console.WriteLine(string.Join(" ", new[] { group.Key }.Concat(names)));
        }
    }

    static string RuntimeVersion()
    {
        var runtime = Type.GetType("Mono.Runtime");
        var named = runtime.GetMethod("GetDisplayName", Declared);
        return ((string)named.Invoke(null, null)).Split(' ')[0];
    }

    /// <summary>The types of each namespace; attributes also as programs write them.</summary>
    static Dictionary<string, HashSet<string>> Namespaces(IEnumerable<Type> types)
    {
        var groups = new Dictionary<string, HashSet<string>>();
        foreach (var type in types.Where(type => !type.IsNested))
        {
            if (!groups.ContainsKey(type.Namespace))
            {
                groups[type.Namespace] = new HashSet<string>();
            }
            var name = SimpleName(type);
            groups[type.Namespace].Add(name);
            if (typeof(Attribute).IsAssignableFrom(type) && name.EndsWith("Attribute"))
            {
                groups[type.Namespace].Add(name.Substring(0, name.Length - "Attribute".Length));
            }
        }
        foreach (var group in groups.Values)
        {
            group.Remove("");
        }
        return groups;
    }

    /// <summary>
    /// What classes have for those that extend them; an interface has nothing for a class.
    /// </summary>
    static Dictionary<string, HashSet<string>> Members(IEnumerable<Type> types)
    {
        var groups = new Dictionary<string, HashSet<string>>();
        foreach (var type in types.Where(type => Extended.Contains(type.Namespace)))
        {
            var isStatic = type.IsAbstract && type.IsSealed;
            if (!type.IsNested && (type.IsInterface || type.IsEnum || isStatic || !type.IsSealed))
            {
                var name = SimpleName(type);
                if (!groups.ContainsKey(name))
                {
                    groups[name] = new HashSet<string>();
                }
                groups[name].UnionWith(type.IsInterface ? new List<string>() : Inherited(type));
            }
        }
        return groups;
    }

    static List<string> Inherited(Type type)
    {
        var names = new List<string>();
        for (var above = type; above != null && above != typeof(object); above = above.BaseType)
        {
            names.AddRange(above.GetMembers(Declared).Where(IsInherited).Select(SimpleName));
        }
        return names;
    }

    static bool IsInherited(MemberInfo member)
    {
        if (member.Name.Contains('.'))
        {
            return false; // It implements a member of an interface.
        }
        switch (member.MemberType)
        {
            case MemberTypes.Method:
                return IsSeen((MethodInfo)member) && !((MethodInfo)member).IsSpecialName;
            case MemberTypes.Field:
                var field = (FieldInfo)member;
                return !field.IsSpecialName
                    && (field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly);
            case MemberTypes.Property:
                var property = (PropertyInfo)member;
                return property.GetIndexParameters().Length == 0
                    && property.GetAccessors(true).Any(IsSeen);
            case MemberTypes.Event:
                return IsSeen(((EventInfo)member).GetAddMethod(true));
            case MemberTypes.NestedType:
                return ((Type)member).IsNestedPublic || ((Type)member).IsNestedFamily;
            default:
                return false;
        }
    }

    static bool IsSeen(MethodInfo method) =>
        method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    static string SimpleName(MemberInfo member) => member.Name.Split('`')[0];
}
