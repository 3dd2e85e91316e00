# reqld_module(NAME [deps...]): the static library reqld_NAME from every .cpp below the calling folder.
# A folder's new file is picked up without an edit here.
function(reqld_module name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(reqld_${name} STATIC ${sources})
    target_link_libraries(reqld_${name} PUBLIC ${ARGN})
  else()
    add_library(reqld_${name} INTERFACE)
    target_link_libraries(reqld_${name} INTERFACE ${ARGN})
  endif()
endfunction()

# reqld_tests(FOLDER libs...): one doctest executable for tests/FOLDER and its support/, registered with ctest.
function(reqld_tests folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_test.cpp
       ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/support/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${folder}_tests ${CMAKE_CURRENT_SOURCE_DIR}/main_test.cpp ${sources})
  target_link_libraries(${folder}_tests PRIVATE ${ARGN})
  target_compile_definitions(${folder}_tests PRIVATE REQLD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${folder} COMMAND ${folder}_tests)
endfunction()
