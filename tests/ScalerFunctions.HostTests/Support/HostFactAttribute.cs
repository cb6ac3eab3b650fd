using FuncScaler.FunctionsHost.Storage;

namespace FuncScaler.Tests;

/// <summary>A test that needs Azurite; reported as skipped, with the reason, where it is absent. <c>.ci/run</c> installs it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class HostFactAttribute : FactAttribute
{
    public HostFactAttribute() => Skip = Azurite.Missing;

    /// <param name="takesMinutes">Whether it runs only where long tests are asked for.</param>
    public HostFactAttribute(bool takesMinutes) => Skip = Azurite.Missing ?? (takesMinutes ? TestLength.NotAsked : null);
}

/// <inheritdoc cref="HostFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class HostTheoryAttribute : TheoryAttribute
{
    public HostTheoryAttribute() => Skip = Azurite.Missing;
}
