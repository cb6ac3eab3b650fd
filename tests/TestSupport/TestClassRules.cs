using System.Reflection;

namespace FuncScaler.Tests;

/// <summary>What holds for every test class of this project; compiled into each.</summary>
public sealed class TestClassRules
{
    /// <summary>xunit 2 calls <see cref="IAsyncLifetime"/> and <see cref="IDisposable"/>, and never <see cref="IAsyncDisposable"/>.</summary>
    [Fact]
    public void What_xunit_makes_is_disposed_of_by_xunit()
    {
        var types = typeof(TestClassRules).Assembly.GetTypes();
        var made = types.Where(t => HasTests(t) && !t.IsAbstract).Concat(types.SelectMany(FixturesOf)).Distinct();

        var forgotten = made.Where(t => typeof(IAsyncDisposable).IsAssignableFrom(t) && !typeof(IAsyncLifetime).IsAssignableFrom(t));

        Assert.True(!forgotten.Any(), $"xunit never disposes of these, make them IAsyncLifetime: {string.Join(", ", forgotten)}");
    }

    private static bool HasTests(Type type) =>
        type.GetMethods(BindingFlags.Public | BindingFlags.Instance).Any(m => m.IsDefined(typeof(FactAttribute), inherit: true));

    private static IEnumerable<Type> FixturesOf(Type type) => type.GetInterfaces()
        .Where(i => i.IsGenericType && (i.GetGenericTypeDefinition() == typeof(IClassFixture<>) || i.GetGenericTypeDefinition() == typeof(ICollectionFixture<>)))
        .Select(i => i.GetGenericArguments()[0]);
}
