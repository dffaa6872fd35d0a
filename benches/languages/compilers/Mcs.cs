using System;
using System.IO;
using System.Reflection;

/// <summary>
/// Runs Mono's C# compiler in this process, once for each of the files that are named on standard
/// input. Its messages come on standard output; a line with a dot ends those of a file.
/// </summary>
static class Mcs
{
    static void Main()
    {
        var folder = Path.GetDirectoryName(typeof(object).Assembly.Location);
        var compiler = Assembly.LoadFrom(Path.Combine(folder, "mcs.exe"));
        var entry = compiler.GetType("Mono.CSharp.CompilerCallableEntryPoint");
        var invoke = entry.GetMethod("InvokeCompiler");
        string path;
        while ((path = Console.In.ReadLine()) != null)
        {
            var arguments = new[]
            {
                "-target:library", "-warn:0", "-r:System.Numerics.dll", "-r:System.Xml.dll",
                "-out:" + path + ".dll", path,
            };
            try
            {
                invoke.Invoke(null, new object[] { arguments, Console.Out });
            }
            catch (TargetInvocationException)
            {
                Console.Out.WriteLine(path + "(1,1): error CS0589: the compiler crashed");
            }
            Console.Out.WriteLine();
            Console.Out.WriteLine(".");
        }
    }
}
