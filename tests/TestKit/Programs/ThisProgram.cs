using System.Diagnostics;

namespace OrdersStream.TestKit.Programs;

/// <summary>The program that runs now, to be started again as a child with other arguments.</summary>
internal static class ThisProgram
{
    /// <param name="entry">A type of its assembly, for where it runs under <c>dotnet</c>.</param>
    /// <param name="arguments">The child's.</param>
    public static ProcessStartInfo StartInfo(Type entry, IEnumerable<string> arguments)
    {
        string[] assembly = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [entry.Assembly.Location] : [];
        return new(Environment.ProcessPath!, [.. assembly, .. arguments]);
    }
}
