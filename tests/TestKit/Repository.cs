namespace OrdersStream.TestKit;

/// <summary>The files that these tests were built from.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    /// <param name="name">Path from the root.</param>
    public static string PathOf(string name) => Path.Combine(Root, name);

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "OrdersStream.slnx"))) return at.FullName;
        throw new InvalidOperationException("this program does not lie in the repository that it was built from");
    }
}
