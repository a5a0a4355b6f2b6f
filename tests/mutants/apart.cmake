# The libraries file by file, since one changes at a time; the tests, which do not change, eight at once.
cmake_language(EVAL CODE "cmake_language(DEFER CALL set_target_properties py4cast_engine py4cast_kernels py4cast_layers py4cast_models
  py4cast_data py4cast_train PROPERTIES UNITY_BUILD OFF)")
