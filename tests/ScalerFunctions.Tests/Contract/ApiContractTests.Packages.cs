using System.Reflection;
using System.Runtime.InteropServices;

namespace FuncScaler.Tests;

/// <summary>What eng/api-contract declares is what the packages have: otherwise builds without them would check against a fiction.</summary>
public sealed class ApiContractTests : IDisposable
{
    private readonly MetadataLoadContext _load;
    private readonly Assembly _contract;
    private readonly Dictionary<string, Type> _real = [];

    public ApiContractTests()
    {
        var contract = Path.Combine(AppContext.BaseDirectory, "api-contract", "FuncScaler.ApiContract.dll");
        var shared = Path.GetDirectoryName(RuntimeEnvironment.GetRuntimeDirectory().TrimEnd(Path.DirectorySeparatorChar))!;
        var aspNet = Directory.GetDirectories(Path.Combine(Path.GetDirectoryName(shared)!, "Microsoft.AspNetCore.App"), $"{Environment.Version.Major}.*").Last();
        string[] paths =
        [
            .. Directory.GetFiles(AppContext.BaseDirectory, "*.dll"),
            .. Directory.GetFiles(RuntimeEnvironment.GetRuntimeDirectory(), "*.dll"),
            .. Directory.GetFiles(aspNet, "*.dll"),
            contract,
        ];
        _load = new MetadataLoadContext(new PathAssemblyResolver(paths.DistinctBy(Path.GetFileName)));
        _contract = _load.LoadFromAssemblyPath(contract);
        foreach (var path in Directory.GetFiles(AppContext.BaseDirectory, "Microsoft.*.dll").Where(IsPackage))
        {
            foreach (var type in _load.LoadFromAssemblyPath(path).GetExportedTypes())
            {
                _real.TryAdd(type.FullName!, type);
            }
        }
    }

    [Fact]
    public void Every_declared_member_exists_in_the_packages_with_the_same_signature()
    {
        var wrong = new List<string>();
        var compared = 0;
        foreach (var declared in _contract.GetExportedTypes())
        {
            if (!_real.TryGetValue(declared.FullName!, out var real))
            {
                wrong.Add($"{declared.FullName}: no package has it");
                continue;
            }

            if (ApiSurface.Describe(declared) != ApiSurface.Describe(real))
            {
                wrong.Add($"declared {ApiSurface.Describe(declared)}, in the package {ApiSurface.Describe(real)}");
            }

            Missing(declared, "ancestor", ApiSurface.Ancestors(declared), ApiSurface.Ancestors(real));
            Missing(declared, "member", ApiSurface.Members(declared), ApiSurface.Members(real));
        }

        Assert.True(wrong.Count == 0, "eng/api-contract differs from the packages; mend the declarations:\n" + string.Join('\n', wrong));
        Assert.InRange(compared, 100, 10_000);

        void Missing(Type declared, string what, IEnumerable<string> expected, IEnumerable<string> actual)
        {
            var there = actual.ToHashSet();
            foreach (var text in expected)
            {
                compared++;
                if (!there.Contains(text))
                {
                    wrong.Add($"{declared.FullName}: {what} not in the package: {text}");
                }
            }
        }
    }

    [Fact]
    public void What_the_app_can_derive_from_has_no_abstract_member_that_is_not_declared()
    {
        // An heir that compiles against the declarations would not compile against the packages.
        string[] bases =
        [
            "Microsoft.DurableTask.Entities.TaskEntity`1",
            "Microsoft.DurableTask.Entities.TaskEntityContext",
            "Microsoft.DurableTask.Entities.TaskEntityOperation",
            "Microsoft.DurableTask.Entities.TaskEntityState",
        ];
        foreach (var name in bases)
        {
            var declared = ApiSurface.Members(_contract.GetType(name, throwOnError: true)!).ToHashSet();
            Assert.DoesNotContain(ApiSurface.Members(_real[name]), m => m.Contains(" abstract ", StringComparison.Ordinal) && !declared.Contains(m));
        }
    }

    [Fact]
    public void The_declarations_cannot_be_run()
    {
        Assert.Throws<BadImageFormatException>(() => Assembly.LoadFile(_contract.Location));
    }

    public void Dispose() => _load.Dispose();

    private static bool IsPackage(string path) => Path.GetFileName(path) is var name
        && (name.StartsWith("Microsoft.Azure.Functions.", StringComparison.Ordinal) || name.StartsWith("Microsoft.DurableTask.", StringComparison.Ordinal));
}
