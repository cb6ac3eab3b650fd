using System.Reflection;
using System.Runtime.Loader;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Loads policies that stand in a file of their own. Its code runs as this program does: only files that one trusts.</summary>
internal static class PolicyAssembly
{
    /// <summary>The policies of an assembly.</summary>
    /// <exception cref="CommandException">The file is missing or no assembly, has no <see cref="IPolicySource"/>, or does not fit this build.</exception>
    public static IReadOnlyList<PolicyEntry> Load(string path)
    {
        var full = Path.GetFullPath(path);
        if (!File.Exists(full))
        {
            throw Wrong(path, "there is no such file");
        }

        try
        {
            var assembly = new Context(full).LoadFromAssemblyPath(full);
            var sources = assembly.GetExportedTypes().Where(t => t is { IsClass: true, IsAbstract: false } && typeof(IPolicySource).IsAssignableFrom(t)).ToList();
            List<PolicyEntry> entries = [.. sources.SelectMany(t => ((IPolicySource)Activator.CreateInstance(t)!).Policies)];
            if (entries.Count == 0)
            {
                throw Wrong(path, $"it has no policy: write a public class that implements {nameof(IPolicySource)}");
            }

            var names = PolicyCatalog.All.Select(p => p.Name).ToHashSet();
            return entries.Find(e => !names.Add(e.Name)) is { } taken
                ? throw Wrong(path, $"there is another policy '{RemoteWords.Clean(taken.Name)}': give it another name")
                : entries;
        }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException or FileNotFoundException or TypeLoadException or MissingMethodException or TargetInvocationException)
        {
            throw new CommandException(
                CommandException.BadUsage, $"--policy-assembly \"{path}\" cannot be used: {e.Message} Build it against the policies of this version.", e);
        }
    }

    private static CommandException Wrong(string path, string what) => new(CommandException.BadUsage, $"--policy-assembly \"{path}\": {what}.");

    /// <summary>What the assembly needs is looked for beside it, except what this program has itself: the policies' own assembly must be one.</summary>
    private sealed class Context(string path) : AssemblyLoadContext(Path.GetFileNameWithoutExtension(path))
    {
        private readonly AssemblyDependencyResolver _resolver = new(path);

        protected override Assembly? Load(AssemblyName assemblyName)
        {
            if (Default.Assemblies.Any(a => a.GetName().Name == assemblyName.Name))
            {
                return null;
            }

            return _resolver.ResolveAssemblyToPath(assemblyName) is { } found ? LoadFromAssemblyPath(found) : null;
        }
    }
}
