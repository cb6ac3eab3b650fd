namespace FuncScaler.Policies;

/// <summary>
/// What becomes of instances that a policy has let go, on a platform that can take them back layer by layer: first what is the function's own goes,
/// then the language's runtime, then the container. Only virtual time has such a platform.
/// </summary>
public interface ILayerRules
{
    /// <summary>The share of an init that is left for an instance made from a language layer, 0 to 1. From a bare one it takes all of it; neither needs a create.</summary>
    double LanguageInitShare { get; }

    /// <summary>The share of a slot's memory that its language layer takes, 0 to 1.</summary>
    double LanguageMemoryShare { get; }

    /// <summary>The share of a slot's memory that its bare layer takes, 0 to 1.</summary>
    double BareMemoryShare { get; }

    /// <summary>A request of a function arrived.</summary>
    void Arrived(long nowUs, FunctionMeta function);

    /// <summary>How long an instance that is let go now is kept as a language layer, and after that as a bare one, µs.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="function">Its function.</param>
    /// <param name="createUs">What its create takes, µs.</param>
    /// <param name="initUs">What its init takes, µs.</param>
    (long LanguageUs, long BareUs) KeepLayers(long nowUs, FunctionMeta function, long createUs, long initUs);
}
